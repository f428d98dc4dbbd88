"""The data module that every source of images shares."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pytorch_lightning import LightningDataModule
from pytorch_lightning.overrides.distributed import UnrepeatedDistributedSampler
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from glow.data.augmentation import Augmentation
from glow.data.image_file import fit
from glow.data.training_order import TrainingOrder

SplitName = Literal["train", "val", "test"]
Batch = tuple[Tensor, Tensor]  # uint8 images (B,C,H,W), int64 labels (B,)

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
# Workers that are forked share the images with us; others would be sent a copy of them.
START = "fork" if sys.platform == "linux" else None
TYPES: dict[str, type | tuple[type, ...]] = {
    "bool": bool,
    "int": int,
    "float": (int, float),
    "str": str,
}


class ImageDataset(Dataset[Batch]):
    """Images and labels, in memory or mapped to it, read a whole batch at a time."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __getitem__(self, index: int | slice) -> Batch:
        """Return one image (C,H,W) and its label, or several."""
        return self.images[index], self.labels[index]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of images (B,C,H,W) and their labels (B,)."""
        return self.images[indices], self.labels[indices]

    def of_many_classes(self, n: int) -> list[int]:
        """Return the indices of n images: the first of each class, then the second of each...

        Where an image has several labels, those with the same ones are a class.
        """
        seen: Counter[int] = Counter()
        turn = []
        for label in torch.unique(self.labels, dim=0, return_inverse=True)[1].tolist():
            turn.append(seen[label])
            seen[label] += 1
        return sorted(range(len(self)), key=turn.__getitem__)[:n]


class TrainingImages(Dataset[Batch]):
    """Images as training meets them: pass after pass, augmented anew every time.

    Position p is image ``p % N`` in pass ``p // N``. What is random in a batch depends on ``seed``
    and its positions alone, and no two processes, workers or passes share a position.
    """

    def __init__(self, dataset: ImageDataset, augmentation: Augmentation, seed: int) -> None:
        self.dataset = dataset
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        """Return the number of images, which is that of positions in a pass."""
        return len(self.dataset)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """Return a batch of images (B,C,H,W) and their labels (B,)."""
        images, labels = self.dataset.__getitems__([p % len(self) for p in positions])
        random = np.random.default_rng([self.seed, *positions])
        return self.augmentation(images, random), labels


@dataclass(kw_only=True, eq=False)
class ImageDataModule(LightningDataModule, ABC):
    """Train, validation and test images of one source, as batches of uint8 (B,C,H,W) and labels.

    A source is a subclass that says how to ``read`` a split. ``image_shape``, ``n_bits`` and
    ``n_classes`` are what a model has to know of it; what is read is checked against them.
    Training meets them in a ``TrainingOrder``, of which several processes share every pass, with
    the ``Augmentation`` of ``max_shift`` and ``flip``; evaluation meets every image once, as it is,
    in any number of processes.

    Raises ``ValueError``, before training starts, where the images are not as announced.
    """

    image_shape: tuple[int, int, int]
    n_bits: int = 8
    n_classes: int = 0
    batch_size: int = 64
    eval_batch_size: int = 500
    num_workers: int = 0
    max_shift: float = 0.0
    flip: bool = False
    seed: int = 0
    tested_split: SplitName = field(default="test", init=False, repr=False)
    datasets: dict[SplitName, ImageDataset] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__init__()
        self._check_options()
        self.image_shape = (self.image_shape[0], self.image_shape[1], self.image_shape[2])
        self.augmentation = Augmentation(self.max_shift, self.flip)

    @property
    def label_names(self) -> list[str]:
        """The names of the classes, or of the labels that every image has, in order."""
        return [str(label) for label in range(self.n_classes)]

    @abstractmethod
    def read(self, split: SplitName) -> Batch:
        """Return all images of a split, uint8 (N,C,H,W), and their labels, int64 (N,).

        Labels that are no classes, for ``n_classes=0``, may have further dimensions.
        """

    def fit_picture(self, picture: Image.Image) -> tuple[NDArray[np.uint8], str]:
        """Return a picture as uint8 of ``image_shape``, and how it was cut and resized, if it was.

        A source that crops its own pictures crops this one in the same way.
        """
        _, height, width = self.image_shape
        fits = picture.size == (width, height)
        how = "" if fits else f"cropped centrally and resized to {width}x{height}"
        return fit(picture, height, width), how

    def setup(self, stage: str | None = None) -> None:
        """Read all splits, once, so that nothing is found amiss only after training."""
        for split in SPLITS:
            if split not in self.datasets:
                images, labels = self.read(split)
                self._check(split, images, labels)
                self.datasets[split] = ImageDataset(images, labels)

    def initialization_batch(self, n_images: int) -> Batch:
        """Return training images for the data-dependent initialisation, the same in every process.

        They are drawn without regard to their order; all of them where there are fewer.
        """
        dataset = self.datasets["train"]
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(self.seed))
        return dataset.__getitems__(order[:n_images].tolist())

    def dataset(self, split: str) -> ImageDataset:
        """Return the images of a split that ``setup`` has read, by its name."""
        for name, dataset in self.datasets.items():
            if name == split:
                return dataset
        raise ValueError(f"there is no split {split}; choose from {', '.join(self.datasets)}")

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled, augmented batches, all of the same size."""
        images = TrainingImages(self.dataset("train"), self.augmentation, self.seed)
        order = TrainingOrder(images, self.batch_size, self.seed, self.trainer)
        return self._loader(images, self.batch_size, order, drop_last=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Return the validation images in order, or nothing where there are to be none."""
        return self.evaluation_dataloader("val") if len(self.dataset("val")) else []

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the test images in order, or those of the split that ``tested_split`` names."""
        return self.evaluation_dataloader(self.tested_split)

    def evaluation_dataloader(self, split: str) -> DataLoader[Batch]:
        """Return the images of a split in order; several processes share them."""
        dataset = self.dataset(split)
        shares = UnrepeatedDistributedSampler(
            dataset,
            num_replicas=self.trainer.world_size if self.trainer else 1,
            rank=self.trainer.global_rank if self.trainer else 0,
            shuffle=False,
        )
        return self._loader(dataset, self.eval_batch_size, shares)

    def _loader(
        self,
        dataset: Dataset[Batch],
        batch_size: int,
        sampler: Sampler[int],
        *,
        drop_last: bool = False,
    ) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            multiprocessing_context=START if self.num_workers else None,
            pin_memory=torch.cuda.is_available(),
            collate_fn=_as_it_is,
        )

    def _check_options(self) -> None:
        """Raise ``ValueError`` where an option is not of its type: in YAML, no is a word."""
        for option in fields(self):
            value = getattr(self, option.name, None)
            expected = TYPES.get(str(getattr(option.type, "__name__", option.type)))
            if not option.init or expected is None:
                continue
            fits = isinstance(value, expected)
            if not fits or (isinstance(value, bool) and expected is not bool):  # bools are ints
                kind = "true or false" if expected is bool else f"of type {option.type}"
                raise ValueError(f"data.{option.name} must be {kind}, got {value!r}")
        shape = self.image_shape
        if not isinstance(shape, Sequence) or len(shape) != 3 or not all(n >= 1 for n in shape):
            raise ValueError(
                "data.image_shape must be [channels,height,width], each at least 1, got "
                f"{self.image_shape}"
            )

    def _check(self, split: SplitName, images: Tensor, labels: Tensor) -> None:
        name = f"{type(self).__name__}, {split} split"
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(
                f"{name}: data.image_shape is {self.image_shape}, but the images are "
                f"{tuple(images.shape[1:])} of {images.dtype}; they must be uint8 of that shape"
            )
        if len(images) != len(labels):
            raise ValueError(f"{name}: {len(images)} images, but {len(labels)} labels")
        if not len(images) and not (split == "val" and getattr(self, "n_val", None) == 0):
            raise ValueError(
                f"{name}: there are no images in it. Training needs some for train, val and test; "
                "add more, or put some into files or folders of that split"
            )
        share = len(images) // (self.trainer.world_size if self.trainer else 1)
        if split == "train" and share < self.batch_size:
            raise ValueError(
                f"{name}: {share} images for each process are too few for a batch of "
                f"{self.batch_size}; the largest legal data.batch_size is {share}"
            )
        if self.n_classes and len(self.label_names) != self.n_classes and labels.ndim == 1:
            raise ValueError(
                f"{name}: data.n_classes is {self.n_classes}, but it has the "
                f"{len(self.label_names)} classes {', '.join(self.label_names)}"
            )
        if self.n_classes and labels.ndim > 1:
            raise ValueError(
                f"{name}: data.n_classes is {self.n_classes}, but every image has "
                f"{labels.shape[1]} labels, which are no classes; set data.n_classes=0"
            )
        if self.n_classes and not ((labels >= 0) & (labels < self.n_classes)).all():
            raise ValueError(
                f"{name}: data.n_classes is {self.n_classes}, but there are labels from "
                f"{labels.min()} to {labels.max()}; they must lie from 0 to {self.n_classes - 1}"
            )


def _as_it_is(batch: Any) -> Any:
    return batch  # the dataset has collated it already
