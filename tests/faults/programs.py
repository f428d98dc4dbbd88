"""Programs in processes of their own, which can be killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tests.paths import ROOT

SMALL = (
    *("experiment=digits", "model.n_levels=2", "model.n_steps=1", "model.coupling.net.width=8"),
    *("trainer.accelerator=cpu", "trainer.max_epochs=3", "trainer.limit_train_batches=8"),
    *("trainer.log_every_n_steps=1", "trainer.limit_test_batches=1", "data.eval_batch_size=30"),
    *("callbacks.samples=null", "threads=1"),
)


def start(program: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start a program of ``experiments/``."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "experiments" / f"{program}.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        **options,
    )


def run(program: str, *arguments: str, status: int = 0, **options: Any) -> str:
    """Run a program to its end, which must have a status; return what it printed."""
    process = start(program, *arguments, **options)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == status, printed
    assert "Traceback" not in printed, printed
    return printed


def signal_when(process: subprocess.Popen[str], file: Path, signum: int, wait: float = 0.0) -> None:
    """Send a signal some time after a file has appeared; the process must not have ended."""
    since = time.monotonic()
    while not file.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() - since < 240, f"{file} did not appear"
        time.sleep(0.01)
    time.sleep(wait)
    os.kill(process.pid, signum)


def end_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the status of a process, and what it printed."""
    printed, _ = process.communicate(timeout=240)
    return process.returncode, printed


def weights(folder: Path) -> dict[str, Any]:
    """Return what a run has learned."""
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    names = ("state_dict", "current_model_state", "optimizer_states", "lr_schedulers")
    return {name: content[name] for name in names if name in content}


SIGKILL, SIGTERM, SIGINT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
