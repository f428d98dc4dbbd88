"""A trained model with its run folder and data: what the programs that use a model share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig
from torch import Tensor

from glow import checkpoint, figures
from glow.analysis import batches
from glow.data import ImageDataModule, Selection, select
from glow.models import ImageFlow
from glow.runs.building import build
from glow.runs.own_samples import OwnSamples
from glow.runs.program import echo
from glow.runs.run_folder import RunFolder, capped
from glow.runs.threads import use_threads
from glow.training.loggers import WandbLogger, finish, log_picture


def as_list(value: Any) -> list[Any]:
    """Return a value of a config as a list: a single value as a list of one, None as an empty one.

    >>> as_list(None), as_list("me.png"), as_list([1, 2])
    ([], ['me.png'], [1, 2])
    """
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


class TrainedRun:
    """A trained model and the folder of its run.

    Args:
        path: A run folder, whose selected checkpoint is loaded, a checkpoint file, or the name of
            a model that comes with Glow.
        device: The device for the model.
        trusted: Further packages that may provide parts of the model; see ``glow.load``.
        data: Values that override those of the run's data, a whole config of other data, or None.
    """

    def __init__(
        self,
        path: str | Path,
        device: str | torch.device = "cpu",
        trusted: Sequence[str] = (),
        data: DictConfig | None = None,
    ) -> None:
        self.checkpoint = RunFolder.checkpoint_at(path)
        self.folder = RunFolder.containing(self.checkpoint)
        self.model = checkpoint.load(self.checkpoint, map_location=device, trusted=trusted)
        self.override = data

    @classmethod
    def from_config(cls, config: DictConfig) -> TrainedRun:
        """Return the run that the config of a program names, and set the number of threads."""
        use_threads(config.threads)
        return cls(config.checkpoint, config.device, config.trusted, config.get("data"))

    @functools.cached_property
    def data(self) -> ImageDataModule:
        """The data, not read yet.

        Raises ``ValueError`` if its images do not have the shape of the model's.
        """
        data = build_data(self.folder, self.override)
        if data.image_shape != self.model.image_shape:
            raise ValueError(
                f"the model's images have the shape {self.model.image_shape}, but this data has "
                f"{data.image_shape}; set data.image_shape, if the source can fit its images"
            )
        return data

    @property
    def data_is_own(self) -> bool:
        """Whether this is the data of the training run, so that its classes are the model's."""
        return self.override is None or "_target_" not in self.override

    def opened_data(self) -> ImageDataModule:
        """Return the data, ready to be read; see ``find_data``."""
        if self.override is None and not self.data.datasets:
            self.data = find_data(self.folder, self.override, lambda: self.model)
        self.data.prepare_data()
        self.data.setup()
        return self.data

    def select(
        self, references: Sequence[int | str], split: str, batch_size: int
    ) -> tuple[Selection, Tensor | None]:
        """Return images and, if the model has classes, their classes.

        An image whose class is unknown, because it is a file or from other data, gets the class
        under which it is most likely. A line is printed for every file that had to be fitted.

        Args:
            references: Indices in the split, or names of files; none for 4 images across classes.
            split: The split of the indices.
            batch_size: The number of images at a time.

        Raises:
            ValueError: If the split has no images, or a reference is invalid.
        """
        if not references:
            references = self.opened_data().dataset(split).indices_across_classes(4)
        if not references:
            raise ValueError(f"the {split} split has no images; choose another split")
        by_number = any(isinstance(reference, int) for reference in references)
        chosen = select(self.opened_data() if by_number else self.data, references, split)
        for note in chosen.notes:
            echo(note)
        labels = chosen.labels if self.data_is_own else torch.full_like(chosen.labels, -1)
        return chosen, batches.fill_in_classes(self.model, chosen.images, labels, batch_size)

    def class_names(self) -> list[str]:
        """Return the names of the model's classes, or an empty list if its data is not here."""
        if not self.model.n_classes or not self.data_is_own:
            return []
        try:
            names = self.data.label_names
        except (ValueError, OSError):
            return []
        return names if len(names) == self.model.n_classes else []

    def publish(self, drawn: Mapping[str, Figure | Path]) -> None:
        """Save figures in the folder of the run; also log them where the run logs pictures.

        Args:
            drawn: Figures, or files that are already there, by name.
        """
        paths = {
            name: it if isinstance(it, Path) else figures.save(it, self.figure_path(name))
            for name, it in drawn.items()
        }
        for path in paths.values():
            echo(f"written: {path}")
        loggers = self._wandb()
        for name, path in paths.items():
            log_picture(loggers, name, path)
        finish(loggers, exit_code=0)

    def figure_path(self, name: str, suffix: str = ".png") -> Path:
        """Return the path of a figure; the end of a very long name is replaced by its checksum.

        Args:
            name: The name of the figure.
            suffix: The suffix of the file.
        """
        return self.folder.figures / f"{capped(name)}{suffix}"

    def _wandb(self) -> list[WandbLogger]:
        try:
            config = self.folder.read_config()
        except FileNotFoundError:
            return []
        wandb = config.logger.get("wandb")
        return [build(wandb, "logger.wandb", folder=self.folder.path)] if wandb else []


def build_data(folder: RunFolder, override: DictConfig | None) -> ImageDataModule:
    """Build the data of a run, without reading it.

    The images of a model that comes with Glow are not downloaded, unless ``override`` says so.

    Args:
        folder: The folder of the run.
        override: Values that override those of the run's data, a whole config of other data, or
            None.
    """
    config = folder.data_config(override)
    if folder.released is not None and override is None and "download" in config:
        config.download = False
    data: ImageDataModule = build(config, "data")
    return data


def find_data(
    folder: RunFolder, override: DictConfig | None, model: Callable[[], ImageFlow]
) -> ImageDataModule:
    """Build the data of a run, and prepare it.

    If the images of a model that comes with Glow are not here, and no others are given, samples of
    the model take their place, and a line says so.

    Args:
        folder: The folder of the run.
        override: As in ``build_data``.
        model: A function that returns the model.
    """
    data = build_data(folder, override)
    if folder.released is None or override is not None:
        return data
    try:
        data.prepare_data()
    except FileNotFoundError:
        samples = OwnSamples(model=model())
        echo(
            f"the images of {type(data).__name__} are not here, so samples of the model itself, at "
            f"temperature {samples.temperature}, take their place; +data.root=<folder> names the "
            "folder that has them"
        )
        return samples
    return data
