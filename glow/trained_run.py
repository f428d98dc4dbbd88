"""What the programs that look at a model have in common: its run, its data, and its figures."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from matplotlib.figure import Figure
from omegaconf import DictConfig
from torch import Tensor

from glow import checkpoint, figures, in_batches
from glow.data import ImageDataModule, Selection, select
from glow.entry_point import tell
from glow.loggers import WandbLogger, finish, log_picture
from glow.run_folder import RunFolder, capped


def listed(value: Any) -> list[Any]:
    """Return a value of a config as a list: what stands alone as one of one, nothing as none."""
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


class TrainedRun:
    """A model that was trained, and the folder of its run.

    ``path`` is a run folder, whose best checkpoint is taken, or a checkpoint file; device and
    ``trusted`` are as in ``glow.load``. The data is the run's, with the values of ``data`` in place
    of its own, or other data, where ``data`` says which.
    """

    def __init__(
        self,
        path: str | Path,
        device: str | torch.device = "cpu",
        trusted: Sequence[str] = (),
        data: DictConfig | None = None,
    ) -> None:
        self.checkpoint = RunFolder.checkpoint_at(path)
        self.folder = RunFolder.of(self.checkpoint)
        self.model = checkpoint.load(self.checkpoint, map_location=device, trusted=trusted)
        self.override = data

    @classmethod
    def of(cls, config: DictConfig) -> TrainedRun:
        """Return the run that a program's config is about."""
        return cls(config.checkpoint, config.device, config.trusted, config.get("data"))

    @functools.cached_property
    def data(self) -> ImageDataModule:
        """The data, as yet unread.

        Raises ``ValueError`` where its images are not of the model's shape.
        """
        data: ImageDataModule = instantiate(self.folder.data_config(self.override))
        if data.image_shape != self.model.image_shape:
            raise ValueError(
                f"the model's images are {self.model.image_shape}, and those of this data are "
                f"{data.image_shape}; set data.image_shape, where the source can fit its images"
            )
        return data

    @property
    def data_is_own(self) -> bool:
        """Whether the data is what the model was trained on, and its classes those of the model."""
        return self.override is None or "_target_" not in self.override

    def opened_data(self) -> ImageDataModule:
        """Return the data, ready to be read."""
        self.data.prepare_data()
        self.data.setup()
        return self.data

    def select(
        self, references: Sequence[int | str], config: DictConfig
    ) -> tuple[Selection, Tensor | None]:
        """Return the images that are referred to, and their classes where the model has some.

        Numbers are of the ``split`` of the config. Where there are no references, it is 4 images of
        different classes. What had to be done to files is told. An image whose class is not known,
        as it is a file or of other data than the model's, gets the likeliest one.
        """
        if not references:
            references = self.opened_data().dataset(config.split).of_many_classes(4)
        if not references:
            raise ValueError(f"the {config.split} split has no images; choose another split")
        chosen = select(self.data, references, config.split)
        for note in chosen.notes:
            tell(note)
        labels = chosen.labels if self.data_is_own else torch.full_like(chosen.labels, -1)
        return chosen, in_batches.classes_of(self.model, chosen.images, labels, config.batch_size)

    def class_names(self) -> list[str]:
        """Return what its own data calls the classes of the model, where it can be asked."""
        if not self.model.n_classes or not self.data_is_own:
            return []
        try:
            names = self.data.label_names
        except (ValueError, OSError, InstantiationException):  # it is not here, which is no matter
            return []
        return names if len(names) == self.model.n_classes else []

    def publish(self, drawn: Mapping[str, Figure | Path]) -> None:
        """Keep figures in the folder of the run by their names, and files that are there already.

        They go to Weights & Biases, too, into the record of the run, if that is where it logs.
        """
        paths = {
            name: it if isinstance(it, Path) else figures.save(it, self.figure_path(name))
            for name, it in drawn.items()
        }
        for path in paths.values():
            tell(f"written {path}")
        loggers = self._wandb()
        for name, path in paths.items():
            log_picture(loggers, name, path)
        finish(loggers, exit_code=0)

    def figure_path(self, name: str, suffix: str = ".png") -> Path:
        """Return where a figure of this name lies, or of its beginning where it is very long."""
        return self.folder.figures / f"{capped(name)}{suffix}"

    def _wandb(self) -> list[WandbLogger]:
        try:
            config = self.folder.read_config()
        except FileNotFoundError:
            return []
        wandb = config.logger.get("wandb")
        return [instantiate(wandb, folder=self.folder.path)] if wandb else []
