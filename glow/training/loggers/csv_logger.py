"""A CSV file of everything that is logged."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only


class CSVLogger(Logger):
    """Append what is logged to ``<folder>/metrics.csv``, after the rows of the run that is resumed.

    A row that is written is never written again: when a column is added, a new file replaces the
    old one as a whole. Lightning's logger deletes the file of an earlier run, and writes to it in
    place. Hyperparameters are not logged, because ``config.yaml`` in the folder has all of them.

    Args:
        folder: The folder of the file.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self._columns: list[str] = []

    @property
    def name(self) -> str | None:
        """None, because the folder says what the numbers belong to."""
        return None

    @property
    def version(self) -> str | None:
        """None, because a run has one file."""
        return None

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row.

        Args:
            metrics: Numbers by name.
            step: The training step.
        """
        row = {**metrics, "step": step}
        if not self._columns or row.keys() - self._columns:
            self._add_columns(list(row))
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    @rank_zero_only
    def forget_from(self, step: int) -> None:
        """Drop the rows of a step and of all later ones, which a resumed run logs again.

        Args:
            step: The first step to drop: how many steps the checkpoint has seen.
        """
        rows = _read(self.path)
        kept = [row for row in rows if int(row["step"] or 0) < step]
        if len(kept) < len(rows):
            self._write(list(rows[0]), kept)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ``config.yaml`` has them."""

    def _add_columns(self, names: list[str]) -> None:
        rows = _read(self.path)
        self._columns = sorted({*names, *(name for row in rows for name in row)})
        self._write(self._columns, rows)

    def _write(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        """Replace the file as a whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(f"{self.path.name}.part")
        with unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path)


def _read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file, without a last one that was not written to its end."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        lines = file.readlines()
    if lines and not lines[-1].endswith("\n"):
        del lines[-1]
    return list(csv.DictReader(lines))
