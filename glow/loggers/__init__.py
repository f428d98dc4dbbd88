"""Where the numbers and pictures of a run go."""

from collections.abc import Iterable
from pathlib import Path

from pytorch_lightning.loggers import Logger

from glow.loggers.csv_logger import CSVLogger
from glow.loggers.wandb_logger import WandbLogger

__all__ = ["CSVLogger", "WandbLogger", "finish", "log_picture"]


def log_picture(loggers: Iterable[Logger], key: str, path: Path, step: int | None = None) -> None:
    """Give a picture file, which may be an animated GIF, to every logger that takes pictures."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            log = logger.log_video if path.suffix == ".gif" else logger.log_image
            log(key, [str(path)], step)


def finish(loggers: Iterable[Logger], exit_code: int) -> None:
    """Close the records that outlive a trainer, so that the next run of a sweep gets its own.

    An ``exit_code`` other than 0 marks the run as failed.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish(exit_code)
