"""The trainer of a run: parts that are switched off, and runs that would come to nothing."""

import re
from pathlib import Path

import pytest
from omegaconf import DictConfig
from pytorch_lightning.callbacks import LearningRateMonitor, WeightAveraging

from glow.runs.errors import sentence
from glow.runs.trainer import build_trainer
from glow.training.callbacks import DataDependentInit, SampleGrid
from glow.training.loggers import CSVLogger, WandbLogger
from tests.running import compose_train


def parts(config: DictConfig) -> set[type]:
    trainer = build_trainer(config)
    return {type(part) for part in (*trainer.callbacks, *trainer.loggers)}  # type: ignore[attr-defined]


def test_null_switches_a_part_off(tmp_path: Path) -> None:
    everything = parts(compose_train(tmp_path, "callbacks=ema"))
    assert {CSVLogger, LearningRateMonitor, SampleGrid, WeightAveraging} < everything
    for key, missing in {
        "callbacks.samples": {SampleGrid},
        "callbacks.ema": {WeightAveraging},
        "callbacks.init": {DataDependentInit},
        "callbacks.learning_rate": {LearningRateMonitor},
        "logger.csv": {CSVLogger, LearningRateMonitor},
    }.items():
        without = parts(compose_train(tmp_path, "callbacks=ema", f"{key}=null"))
        assert everything - without == missing, key
    without = parts(compose_train(tmp_path, "callbacks=ema", "logger=none"))
    assert everything - without == {CSVLogger, LearningRateMonitor}
    wandb_alone = parts(compose_train(tmp_path, "logger=wandb", "logger.csv=null"))
    assert {WandbLogger, LearningRateMonitor} < wandb_alone
    assert CSVLogger not in wandb_alone


def test_without_its_callback_there_is_no_progress_bar(tmp_path: Path) -> None:
    trainer = build_trainer(compose_train(tmp_path, "+callbacks.progress=null"))
    assert trainer.progress_bar_callback is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.max_epochs=0", "trainer.max_epochs must not be 0: a run is trained, then tested"),
        ("trainer.max_steps=0", "trainer.max_steps must not be 0"),
        ("trainer.limit_train_batches=0", "trainer.limit_train_batches must not be 0"),
        ("trainer.limit_test_batches=0", "trainer.limit_test_batches must not be 0"),
        ("+trainer.fast_dev_run=true", "trainer.fast_dev_run saves no checkpoint"),
        ("trainer.accumulate_grad_batches=0", "accumulate_grad_batches"),
        ("trainer.precision=bf15", "trainer.precision should be"),
        ("trainer.devices=0", "devices"),
        ("trainer.accelerator=abc", "accelerator"),
        ("trainer.strategy=abc", "strategy"),
        ("trainer.max_time=soon", "Timer(duration='soon')"),
    ],
)
def test_runs_that_would_come_to_nothing_raise(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=re.escape(message)) as raised:
        build_trainer(compose_train(tmp_path, override))
    assert sentence(raised.value)


def test_a_run_without_validation_needs_the_last_checkpoint(tmp_path: Path) -> None:
    unvalidated = "trainer.limit_val_batches=0"
    build_trainer(compose_train(tmp_path, unvalidated))
    build_trainer(compose_train(tmp_path, "callbacks.last=null"))
    both = (unvalidated, "callbacks.last=null")
    with pytest.raises(ValueError, match=r"needs callbacks\.last, or callbacks\.best and"):
        build_trainer(compose_train(tmp_path, *both))
