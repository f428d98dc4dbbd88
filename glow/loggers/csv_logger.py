"""A CSV file that survives resuming."""

import csv
import warnings
from pathlib import Path
from typing import Any

from pytorch_lightning import loggers


class CSVLogger(loggers.CSVLogger):
    """Write ``<folder>/metrics.csv``, after the rows of the run that is being resumed, if any.

    Lightning's own logger deletes the file that it finds. Hyper-parameters are not written here:
    the folder has the whole config in ``config.yaml``.
    """

    def __init__(self, folder: str | Path, flush_logs_every_n_steps: int = 100) -> None:
        super().__init__(folder, "", "", flush_logs_every_n_steps=flush_logs_every_n_steps)

    @property
    def experiment(self) -> Any:
        """The writer of the file, on the first process."""
        if self._experiment is not None:
            return self._experiment
        earlier = _read(Path(self.log_dir) / "metrics.csv")
        with warnings.catch_warnings(action="ignore"):  # that it is about to delete the file
            writer = super().experiment
        writer.metrics = earlier
        writer.save()
        return writer

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ``config.yaml`` has them."""


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
