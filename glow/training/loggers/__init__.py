"""Where the numbers and pictures of a run go."""

from collections.abc import Iterable
from pathlib import Path

from pytorch_lightning.loggers import Logger

from glow.training.loggers.csv_logger import CSVLogger
from glow.training.loggers.wandb_logger import WandbLogger

__all__ = ["CSVLogger", "WandbLogger", "finish", "log_picture"]


def log_picture(loggers: Iterable[Logger], key: str, path: Path, step: int | None = None) -> None:
    """Send a picture to every logger that takes pictures.

    Args:
        loggers: The loggers of a run.
        key: The name of the picture.
        path: The file, which may be an animated GIF.
        step: The training step to which the picture belongs, or None.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            log = logger.log_video if path.suffix == ".gif" else logger.log_image
            log(key, [str(path)], step)


def finish(loggers: Iterable[Logger], exit_code: int) -> None:
    """Close the records that outlive a trainer, so that the next run of a sweep gets a new one.

    Args:
        loggers: The loggers of a run.
        exit_code: 0 if the run succeeded; anything else marks it as failed.
    """
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish(exit_code)
