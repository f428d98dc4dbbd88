"""Weights & Biases, one record per run folder."""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytorch_lightning import loggers


class WandbLogger(loggers.WandbLogger):
    """Log a run folder to Weights & Biases, online, or offline with ``WANDB_MODE=offline``.

    The id of the record is in ``wandb_id.txt`` in the folder, so a run that is resumed continues
    its record, on another machine and after the folder was moved, too.

    Args:
        folder: The run folder.
        project: The project of the record.
        options: Options of ``wandb.init``: ``entity``, ``group``, ``tags``, ...
    """

    def __init__(self, folder: str | Path, project: str = "glow", **options: Any) -> None:
        folder = Path(folder).resolve()
        super().__init__(
            **{
                "name": "/".join(folder.parts[-2:]),
                "id": _id_in(folder),
                "save_dir": folder,
                "project": project,
                **options,
            }
        )


def _id_in(folder: Path) -> str:
    """Return the id in the folder, which the first logger of the folder chooses."""
    path = folder / "wandb_id.txt"
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError), path.open("x") as file:
        file.write(secrets.token_hex(8))
    return path.read_text().strip()
