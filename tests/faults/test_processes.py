"""Several processes of one run agree, stop together, and end together."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
import torch

from tests.faults.programs import SMALL, end_of, run, start, weights

pytestmark = pytest.mark.faults
TWO = (*SMALL, "trainer=ddp", "trainer.devices=2", "data.batch_size=16")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two processes that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run("train", *TWO, f"run_dir={folder}")
    return folder


def rank(process: int, number: int) -> psutil.Process:
    """Return the process of a rank that the first process has started."""
    for _ in range(2000):
        for child in psutil.Process(process).children(recursive=True):
            if child.environ().get("LOCAL_RANK") == str(number):
                return child
        time.sleep(0.02)
    raise AssertionError(f"rank {number} did not start")


@pytest.mark.parametrize("number", [0, 1])
def test_one_that_is_asked_to_stop_takes_the_others_along(
    number: int, whole: Path, tmp_path: Path
) -> None:
    slow = ("callbacks.progress._target_=tests.spies.Slow", "+callbacks.progress.seconds=0.05")
    process = start("train", *TWO, f"run_dir={tmp_path}", *slow)
    victim = process.pid if number == 0 else rank(process.pid, number).pid
    steps = tmp_path / "metrics.csv"
    while not steps.exists():
        time.sleep(0.02)
    os.kill(victim, signal.SIGTERM)
    status, printed = end_of(process)
    assert status == 128 + signal.SIGTERM, printed
    assert f"run_dir={tmp_path} resumes after step" in printed
    run("train", *TWO, f"run_dir={tmp_path}")
    torch.testing.assert_close(weights(tmp_path), weights(whole), rtol=0, atol=0)


def test_one_that_dies_ends_the_others(tmp_path: Path) -> None:
    slow = ("callbacks.progress._target_=tests.spies.Slow", "+callbacks.progress.seconds=0.05")
    process = start("train", *TWO, f"run_dir={tmp_path}", *slow)
    victim = rank(process.pid, 1)
    while not (tmp_path / "metrics.csv").exists():
        time.sleep(0.02)
    since = time.monotonic()
    victim.kill()
    status, _ = end_of(process)
    assert status not in (0, None)
    assert time.monotonic() - since < 60
