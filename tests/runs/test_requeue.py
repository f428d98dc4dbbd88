import os
import signal
from pathlib import Path

import pytest

from glow.runs.requeue import requeue
from glow.system.interruption import Stopped


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of SLURM's name, which writes down its arguments."""
    program = tmp_path / "scontrol"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    return program


def test_a_job_that_got_the_signal_is_requeued(
    scontrol: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Stopped(signal.SIGUSR1, "stopped")
    requeue(stopped)
    assert stopped.message == "stopped; the job 12 is in the queue again"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    requeue(stopped)
    assert (scontrol.parent / "calls").read_text() == "requeue 12\nrequeue 7_3\n"


def test_other_signals_and_other_machines_requeue_nothing(
    scontrol: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requeue(Stopped(signal.SIGTERM))
    monkeypatch.delenv("SLURM_JOB_ID")
    requeue(Stopped(signal.SIGUSR1))
    assert not (scontrol.parent / "calls").exists()


def test_a_queue_that_refuses_is_reported(scontrol: Path) -> None:
    scontrol.write_text("#!/bin/sh\necho no such job >&2\nexit 1\n")
    stopped = Stopped(signal.SIGUSR1, "stopped")
    requeue(stopped)
    assert stopped.message == "stopped; the job 12 could not be requeued: no such job"
