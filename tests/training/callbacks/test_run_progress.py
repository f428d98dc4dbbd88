import csv
import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytorch_lightning import LightningModule

from glow.runs.train import train
from glow.training.callbacks import RunProgress, RunTimer
from tests.running import compose_train


@pytest.mark.slow
@pytest.mark.parametrize("where", ["file", "terminal"])
def test_a_run_says_what_it_does_and_how_far_it_is(
    where: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: where == "terminal", raising=False)
    progress = "+callbacks.progress._target_=glow.training.callbacks.RunProgress"
    options = ("trainer.max_epochs=2", "callbacks.samples=null", "trainer.limit_train_batches=3")
    train(compose_train(tmp_path, progress, "logger=tensorboard", *options))
    printed = capsys.readouterr().out
    header = (
        "model: Glow, [\\d,]+ parameters, latents 2x4x4, 8x2x2",
        "memory: about \\d+ kB for weights, .* and [\\d.]+ [kM]B for the activations",
        "on: 1 x .*, precision 32-true",
        "steps: 6 steps of 64 images",
        f"folder: {tmp_path}; the same command with run_dir={tmp_path} resumes the run",
    )
    for line in header:
        assert re.search(line, printed), line
    line = r"epoch 2/2, step 6; train \d\.\d{3}, val \d\.\d{3} bits/dim; [\d,]+ images/s; 0:00:00"
    assert bool(re.search(line, printed)) is (where == "file")
    with (tmp_path / "metrics.csv").open(newline="") as file:
        speeds = [row["train/images_per_second"] for row in csv.DictReader(file)]
    assert [float(speed) > 0 for speed in speeds if speed] == [True, True]
    assert list((tmp_path / "tensorboard").glob("events.*"))


@pytest.mark.parametrize(
    ("steps", "limit", "left"),
    [(1e9, 59, "0:00:59"), (11, 7200, "0:00:0"), (float("inf"), None, "")],
)
def test_the_time_left_ends_with_the_steps_or_with_the_time(
    steps: float, limit: int | None, left: str
) -> None:
    timer = RunTimer(None if limit is None else timedelta(seconds=limit))
    trainer: Any = SimpleNamespace(
        callbacks=[timer],
        callback_metrics={},
        datamodule=None,
        estimated_stepping_batches=steps,
        global_step=10,
    )
    shown = RunProgress().get_metrics(trainer, LightningModule())
    assert str(shown.get("left", "")).startswith(left)
    assert bool(shown.get("left")) is bool(left)
