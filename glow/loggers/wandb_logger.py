"""Weights & Biases, one run per run folder."""

import hashlib
import platform
from pathlib import Path
from typing import Any

from pytorch_lightning import loggers


class WandbLogger(loggers.WandbLogger):
    """Log a run folder to Weights & Biases, online, or offline with ``WANDB_MODE=offline``.

    The run's id is a hash of machine and folder, so a resumed run goes on in the same record.
    ``options`` are those of ``wandb.init``: ``entity``, ``group``, ``tags``, ...
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
        self._wandb_init.pop("anonymous", None)  # Lightning passes it, and wandb warns of it
