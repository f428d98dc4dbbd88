"""Weights & Biases, one record per run folder."""

import hashlib
import platform
from pathlib import Path
from typing import Any

from pytorch_lightning import loggers


class WandbLogger(loggers.WandbLogger):
    """Log a run folder to Weights & Biases, online, or offline with ``WANDB_MODE=offline``.

    The id of the record is a hash of the machine and the folder, so a resumed run continues its
    record.

    Args:
        folder: The run folder.
        project: The project of the record.
        options: Options of ``wandb.init``: ``entity``, ``group``, ``tags``, ...
    """

    def __init__(self, folder: str | Path, project: str = "glow", **options: Any) -> None:
        folder = Path(folder).resolve()
        super().__init__(
            name="/".join(folder.parts[-2:]),
            id=hashlib.sha256(f"{platform.node()}:{folder}".encode()).hexdigest()[:16],
            save_dir=folder,
            project=project,
            **options,
        )
