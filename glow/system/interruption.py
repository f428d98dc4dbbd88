"""Signals that ask a program to stop: Ctrl-C, and what schedulers send."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

REQUEUE: int | None = getattr(signal, "SIGUSR1", None)  # which SLURM sends before the time is up
STOPPING = [signal.SIGTERM] if REQUEUE is None else [signal.SIGTERM, signal.Signals(REQUEUE)]
IMPATIENT = 1.0  # seconds; launchers repeat a Ctrl-C at once, people do not


class Stopped(SystemExit):
    """A signal stopped the program, which exits with 128 plus the number of the signal.

    Args:
        signum: The number of the signal.
        message: What to print.
        saved: Whether a run was saved when it stopped.
    """

    def __init__(self, signum: int, message: str = "", *, saved: bool = False) -> None:
        super().__init__(128 + signum)
        self.signum = signum
        self.message = message
        self.saved = saved

    @property
    def status(self) -> int:
        """The exit status of the program."""
        return 128 + self.signum

    @property
    def name(self) -> str:
        """The name of the signal, such as SIGTERM."""
        return signal.Signals(self.signum).name


@contextmanager
def signals_raised() -> Iterator[None]:
    """Raise ``Stopped`` where the system would end the program without any cleaning up.

    ``KeyboardInterrupt``, and the status 1 with which Lightning ends after one, become ``Stopped``.
    """
    before = stop_at_signals()
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Stopped(signal.SIGINT, str(interrupt)) from interrupt
    except SystemExit as ended:
        if isinstance(ended.__context__, KeyboardInterrupt) and not isinstance(ended, Stopped):
            raise Stopped(signal.SIGINT) from ended
        raise
    finally:
        _restore(before)


def stop_at_signals() -> dict[int, Any]:
    """Raise ``Stopped`` at signals from now on; return the handlers before."""

    def stop(signum: int, _: FrameType | None) -> None:
        raise Stopped(signum)

    return _handle(stop, STOPPING)


class SignalInbox:
    """Keep a signal until it is convenient to stop; a second Ctrl-C stops at once.

    Attributes:
        received: The number of the first signal, or None.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def open(self) -> None:
        """Catch signals from now on."""
        self.received = None
        self._before = _handle(self._receive, [signal.SIGINT, *STOPPING])

    def close(self) -> None:
        """Leave signals to those who handled them before."""
        _restore(self._before)
        self._before = {}

    def _receive(self, signum: int, _: FrameType | None) -> None:
        if self.received is None:
            self.received, self._since = signum, time.monotonic()
            name = signal.Signals(signum).name
            hint = "; Ctrl-C again stops at once" if signum == signal.SIGINT else ""
            os.write(2, f"\n{name}: saving after this step{hint}\n".encode())  # safe in a handler
        elif signum == signal.SIGINT and time.monotonic() - self._since > IMPATIENT:
            raise Stopped(signum)


def _handle(handler: Any, signals: list[Any]) -> dict[int, Any]:
    """Set a handler, if this is the main thread; return the handlers before.

    Signals that whoever started the program lets it ignore stay ignored, as with ``nohup``.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    heard = [signum for signum in signals if signal.getsignal(signum) != signal.SIG_IGN]
    return {signum: signal.signal(signum, handler) for signum in heard}


def _restore(before: dict[int, Any]) -> None:
    for signum, handler in before.items():
        signal.signal(signum, signal.SIG_DFL if handler is None else handler)
