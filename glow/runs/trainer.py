"""The trainer of a run, with its callbacks and loggers."""

from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import LearningRateMonitor, ProgressBar
from pytorch_lightning.loggers import Logger

from glow.runs.building import build
from glow.runs.launchers import check_launch
from glow.training.callbacks import LastCheckpoint, RunCheckpoint


def build_trainer(config: DictConfig) -> Trainer:
    """Build the trainer, the callbacks and the loggers of a run; null switches any of these off.

    Args:
        config: The config of ``conf/train.yaml``.

    Raises:
        ValueError: If the run would train, test or save nothing, or its processes could not work
            together.
    """
    loggers: list[Logger] = _parts(config, "logger")
    callbacks: list[Callback] = [
        callback
        for callback in _parts(config, "callbacks")
        if loggers or not isinstance(callback, LearningRateMonitor)  # which needs a logger
    ]
    bar = any(isinstance(callback, ProgressBar) for callback in callbacks)
    given: dict[str, Any] = {"callbacks": callbacks, "logger": loggers}
    if "enable_progress_bar" not in (config.trainer or {}):
        given["enable_progress_bar"] = bar  # or Lightning would add another bar
    if config.checkpoint_io:
        given["plugins"] = [build(config.checkpoint_io, "checkpoint_io")]
    trainer: Trainer = build(config.trainer, "trainer", **given)
    _check_length(trainer)
    lasting = any(isinstance(callback, LastCheckpoint) for callback in callbacks)
    saving = [callback for callback in callbacks if isinstance(callback, RunCheckpoint)]
    if not lasting and not any(c.monitor is None or trainer.limit_val_batches for c in saving):
        raise ValueError(
            "the run would end without a checkpoint, which is what is tested and drawn: it needs "
            "callbacks.last, or callbacks.best and validation"
        )
    check_launch(trainer)
    return trainer


def _parts(config: DictConfig, key: str) -> list[Any]:
    """Build a group of optional parts."""
    if config[key] is None:
        return []
    return [part for part in build(config[key], key).values() if part is not None]


def _check_length(trainer: Trainer) -> None:
    options: Any = trainer
    if options.fast_dev_run:
        raise ValueError(
            "trainer.fast_dev_run saves no checkpoint that could be tested; for a quick trial, set "
            "trainer.max_epochs=1 trainer.limit_train_batches=1"
        )
    for name in ("limit_train_batches", "limit_test_batches", "max_epochs", "max_steps"):
        if getattr(options, name) == 0:
            raise ValueError(f"trainer.{name} must not be 0: a run is trained, then tested")
    if options.accumulate_grad_batches < 1:
        raise ValueError(
            "trainer.accumulate_grad_batches must be at least 1, got "
            f"{options.accumulate_grad_batches}"
        )
