"""A CSV file that survives resuming."""

import csv
import warnings
from pathlib import Path
from typing import Any

from pytorch_lightning import loggers


class CSVLogger(loggers.CSVLogger):
    """Write ``<folder>/metrics.csv``, after the rows of the run that is resumed.

    Lightning's logger deletes an existing file. This one does not write hyperparameters, because
    ``config.yaml`` in the folder has the whole config.

    Args:
        folder: The folder of the file.
        flush_logs_every_n_steps: How often the file is written.
    """

    def __init__(self, folder: str | Path, flush_logs_every_n_steps: int = 100) -> None:
        super().__init__(folder, "", "", flush_logs_every_n_steps=flush_logs_every_n_steps)
        self.continued = False

    @property
    def experiment(self) -> Any:
        """The writer of the file, in the first process."""
        if self.continued:
            return super().experiment
        earlier = _read(Path(self.log_dir) / "metrics.csv")
        with warnings.catch_warnings(action="ignore"):  # about the file that it deletes
            writer = super().experiment
        writer.metrics = earlier
        writer.save()
        self.continued = True
        return writer

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ``config.yaml`` has them."""


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
