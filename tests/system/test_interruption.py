import os
import signal
import subprocess
import sys
import time

import pytest

from glow.system.interruption import SignalInbox, Stopped, signals_raised


def send(signum: signal.Signals) -> None:
    """Send a signal to this process, and wait for it."""
    os.kill(os.getpid(), signum)
    time.sleep(1)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_raises_with_its_status(signum: signal.Signals) -> None:
    before = signal.getsignal(signum)
    with pytest.raises(Stopped) as stopped, signals_raised():
        send(signum)
    assert stopped.value.code == 128 + signum
    assert stopped.value.name == signum.name
    assert signal.getsignal(signum) == before


def test_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with signals_raised():
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_other_exits_pass() -> None:
    with pytest.raises(SystemExit) as ended, signals_raised():
        raise SystemExit(3)
    assert ended.value.code == 3


def test_an_inbox_keeps_the_first_signal_until_a_person_insists(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGINT)
    inbox = SignalInbox()
    inbox.open()
    try:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # what a launcher repeats
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        assert inbox.received == signal.SIGINT
        assert "SIGINT: saving after this step; Ctrl-C again stops" in capfd.readouterr().err
        monkeypatch.setattr("glow.system.interruption.IMPATIENT", 0.0)
        with pytest.raises(Stopped):
            send(signal.SIGINT)
    finally:
        inbox.close()
    assert signal.getsignal(signal.SIGINT) == before


def test_a_program_that_is_terminated_cleans_up_and_says_so() -> None:
    code = (
        "import os, signal\nfrom glow.runs.program import entry_point\n"
        "@entry_point('results')\ndef main(config):\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    import time; time.sleep(5)\nmain()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 143
    assert ended.stderr.strip() == "stopped by SIGTERM"
