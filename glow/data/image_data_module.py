"""The data module that all sources of images share."""

from __future__ import annotations

import sys
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pytorch_lightning import LightningDataModule, Trainer
from pytorch_lightning.overrides.distributed import UnrepeatedDistributedSampler
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from glow.data.augmentation import Augmentation
from glow.data.image_file import MAX_PIXELS, fit
from glow.data.names import printable
from glow.data.training_order import TrainingOrder
from glow.data.training_plan import TrainingPlan, plan_training

SplitName = Literal["train", "val", "test"]
Batch = tuple[Tensor, Tensor]  # uint8 images (B,C,H,W), int64 labels (B,)

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
# Forked workers share the memory of the images; spawned ones would each get a copy.
START_METHOD = "fork" if sys.platform == "linux" else None


class ImageDataset(Dataset[Batch]):
    """Images and labels, in memory or mapped into it, which are read a batch at a time.

    Args:
        images: uint8 images (N,C,H,W).
        labels: Labels (N,...).
    """

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __getitem__(self, index: int | slice) -> Batch:
        """Return one image (C,H,W) and its label, or the images and labels of a slice."""
        return self.images[index], self.labels[index]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of images (B,C,H,W) and their labels (B,...)."""
        return self.images[indices], self.labels[indices]

    def indices_across_classes(self, n: int) -> list[int]:
        """Return the indices of n images from as many classes as possible.

        The first image of each class comes first, then the second of each, and so on. If images
        have several labels, a class is the set of images whose labels are all the same.

        Args:
            n: The number of images; all are returned if there are fewer.
        """
        seen: Counter[int] = Counter()
        rounds = []
        for label in torch.unique(self.labels, dim=0, return_inverse=True)[1].tolist():
            rounds.append(seen[label])
            seen[label] += 1
        return sorted(range(len(self)), key=rounds.__getitem__)[:n]


class TrainingImages(Dataset[Batch]):
    """The images of a data set in pass after pass, augmented differently in each.

    Position p is image ``p % N`` in pass ``p // N``. Augmentation of a batch depends on ``seed``
    and its positions alone, and no two processes, workers or passes share a position.

    Args:
        dataset: The images.
        augmentation: The random changes.
        seed: Their seed.
    """

    def __init__(self, dataset: ImageDataset, augmentation: Augmentation, seed: int) -> None:
        self.dataset = dataset
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        """Return the number of images, which is the number of positions in a pass."""
        return len(self.dataset)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        """Return a batch of images (B,C,H,W) and their labels (B,...)."""
        images, labels = self.dataset.__getitems__([p % len(self) for p in positions])
        random = np.random.default_rng([self.seed, *positions])
        return self.augmentation(images, random), labels


@dataclass(kw_only=True, eq=False)
class ImageDataModule(LightningDataModule, ABC):
    """Train, val and test images of one source, as batches of uint8 (B,C,H,W) and labels (B,).

    A source is a subclass that implements ``read``. ``setup`` reads all splits and checks them
    against the arguments, before training starts.

    Training sees augmented images in a ``TrainingOrder``; validation and testing see every image
    once, unchanged and in order, in any number of processes. ``tested_split`` names the split that
    testing sees, and may be set.

    Args:
        image_shape: The shape (C,H,W) of an image.
        n_bits: How many of the 8 bits of a pixel the model sees; images have all 8.
        n_classes: The number of classes that labels choose from; 0 if they are not classes.
        batch_size: The number of images per batch and process in training.
        eval_batch_size: The same in validation and testing.
        num_workers: The number of processes that load batches; 0 loads them in the main process.
        max_shift: See ``Augmentation``.
        flip: See ``Augmentation``.
        max_pixels: The largest number of pixels of a picture file, against those that would fill
            the memory.
        seed: The seed of the order of training, augmentation and the initialization batch.

    Raises:
        ValueError: If an argument is out of range.
    """

    image_shape: tuple[int, int, int]
    n_bits: int = 8
    n_classes: int = 0
    batch_size: int = 64
    eval_batch_size: int = 500
    num_workers: int = 0
    max_shift: float = 0.0
    flip: bool = False
    max_pixels: int = MAX_PIXELS
    seed: int = 0
    tested_split: SplitName = field(default="test", init=False, repr=False)
    datasets: dict[SplitName, ImageDataset] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__init__()
        self._check_ranges()
        self.image_shape = (self.image_shape[0], self.image_shape[1], self.image_shape[2])
        self.augmentation = Augmentation(self.max_shift, self.flip)

    @property
    def label_names(self) -> list[str]:
        """The names of the classes, or of the several labels of every image, in order."""
        return [str(label) for label in range(self.n_classes)]

    @property
    def validates(self) -> bool:
        """Whether training needs validation images; if not, the val split may be empty."""
        return True

    def image_name(self, split: str, index: int) -> str:
        """Return a name to show for an image of a split, such as "test 7".

        Args:
            split: The split.
            index: The number of the image.
        """
        return f"{split} {index}"

    def origin(self, split: SplitName) -> str:
        """Return where the images of a split are from, such as a folder; empty if from no file."""
        return ""

    @abstractmethod
    def read(self, split: SplitName) -> Batch:
        """Read all images of a split.

        Returns:
            uint8 images (N,C,H,W) and int64 labels (N,). Labels that are not classes may have more
            dimensions, if ``n_classes`` is 0.
        """

    def fit_picture(self, picture: Image.Image) -> tuple[NDArray[np.uint8], str]:
        """Turn any picture into an image of this source.

        A source that crops its own pictures crops this one in the same way.

        Args:
            picture: A picture whose mode fits the number of channels, see ``open_picture``.

        Returns:
            A uint8 image of ``image_shape``, and a note of how the picture was cropped and resized,
            such as "cropped centrally and resized to 32x32", empty if it was not.
        """
        _, height, width = self.image_shape
        fits = picture.size == (width, height)
        note = "" if fits else f"cropped centrally and resized to {width}x{height}"
        return fit(picture, height, width), note

    def setup(self, stage: str | None = None) -> None:
        """Read and check the splits that have not been read yet.

        All splits are read in every stage, so that a mistake in one is found before training.

        Raises:
            ValueError: If the images or labels of a split do not agree with the arguments.
        """
        for split in SPLITS:
            if split not in self.datasets:
                images, labels = self.read(split)
                self._check_split(split, images, labels)
                self.datasets[split] = ImageDataset(images, labels)

    def initialization_batch(self, n_images: int) -> Batch:
        """Draw training images for data-dependent initialization, the same ones in every process.

        Args:
            n_images: The number of images; all are returned if there are fewer.
        """
        dataset = self.dataset("train")
        order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(self.seed))
        return dataset.__getitems__(order[:n_images].tolist())

    def dataset(self, split: str) -> ImageDataset:
        """Return the images of a split.

        Raises:
            ValueError: If there is no such split.
            RuntimeError: If ``setup`` has not been called.
        """
        if not self.datasets:
            raise RuntimeError(f"{type(self).__name__} has not read its images: call setup first")
        for name, dataset in self.datasets.items():
            if name == split:
                return dataset
        raise ValueError(f"there is no split {split}; choose from {', '.join(self.datasets)}")

    def summary_line(self) -> str:
        """Describe the splits on one line: their numbers of images and classes, and their origin.

        Raises:
            RuntimeError: If ``setup`` has not been called.
        """
        return f"{type(self).__name__}: " + "; ".join(map(self._summary, SPLITS))

    def checksum(self) -> str:
        """Return a checksum of the images and labels of all splits.

        Raises:
            RuntimeError: If ``setup`` has not been called.
        """
        checksum = 0
        for split in SPLITS:
            dataset = self.dataset(split)
            for part in (*dataset.images.split(4096), dataset.labels):
                checksum = zlib.crc32(part.contiguous().numpy().data, checksum)
            checksum = zlib.crc32(str(len(dataset)).encode(), checksum)
        return f"{checksum:08x}"

    def training_plan(self, trainer: Trainer) -> TrainingPlan:
        """Compute how much data ``trainer`` will see in training, without creating a data loader.

        Raises:
            ValueError: If an epoch has no steps.
            RuntimeError: If ``setup`` has not been called.
        """
        return plan_training(len(self.dataset("train")), self.batch_size, trainer)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return batches of shuffled, augmented training images, all of the same size."""
        images = TrainingImages(self.dataset("train"), self.augmentation, self.seed)
        order = TrainingOrder(images, self.batch_size, self.seed, self.trainer)
        return self._loader(images, self.batch_size, order, drop_last=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Return the validation images in order, or an empty list if there are none."""
        return self.evaluation_dataloader("val") if len(self.dataset("val")) else []

    def test_dataloader(self) -> DataLoader[Batch]:
        """Return the images of ``tested_split`` in order."""
        return self.evaluation_dataloader(self.tested_split)

    def evaluation_dataloader(self, split: str) -> DataLoader[Batch]:
        """Return the images of a split in order, divided among the processes.

        Raises:
            ValueError: If there is no such split.
        """
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
            multiprocessing_context=START_METHOD if self.num_workers else None,
            pin_memory=torch.cuda.is_available(),
            collate_fn=_already_collated,
        )

    def _summary(self, split: SplitName) -> str:
        labels, origin = self.dataset(split).labels, self.origin(split)
        n_classes = len(labels.unique())
        classes = f" in {n_classes} class{'es' if n_classes != 1 else ''}" if self.n_classes else ""
        images = f"{len(labels):,} image{'s' if len(labels) != 1 else ''}"
        return f"{split} {images}{classes}" + (f" from {printable(origin)}" if origin else "")

    def _check_ranges(self) -> None:
        shape: Any = self.image_shape
        if (
            not isinstance(shape, Sequence)
            or len(shape) != 3
            or not all(isinstance(n, int) and n >= 1 for n in shape)
        ):
            raise ValueError(
                "data.image_shape must be [channels,height,width], integers of at least 1, got "
                f"{shape}"
            )
        for option in ("batch_size", "eval_batch_size", "max_pixels"):
            if getattr(self, option) < 1:
                raise ValueError(f"data.{option} must be at least 1, got {getattr(self, option)}")

    def _check_split(self, split: SplitName, images: Tensor, labels: Tensor) -> None:
        where = f"{type(self).__name__}, {split} split"
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(
                f"{where}: images must be uint8 of the shape data.image_shape={self.image_shape}, "
                f"got {images.dtype} of the shape {tuple(images.shape[1:])}"
            )
        if len(images) != len(labels):
            raise ValueError(
                f"{where}: there must be as many labels as images, got {len(images)} images and "
                f"{len(labels)} labels"
            )
        if not len(images) and (split != "val" or self.validates):
            raise ValueError(
                f"{where}: there are no images in it, but train, val and test all need some; add "
                "images, or put some into the files or folders of this split"
            )
        share = len(images) // (self.trainer.world_size if self.trainer else 1)
        if split == "train" and share < self.batch_size:
            raise ValueError(
                f"{where}: data.batch_size must be at most {share}, the number of images for each "
                f"process, got {self.batch_size}"
            )
        if self.n_classes and len(self.label_names) != self.n_classes and labels.ndim == 1:
            raise ValueError(
                f"{where}: data.n_classes must be {len(self.label_names)}, the number of classes "
                f"({', '.join(self.label_names)}), got {self.n_classes}"
            )
        if self.n_classes and labels.ndim > 1:
            raise ValueError(
                f"{where}: data.n_classes must be 0, because every image has {labels.shape[1]} "
                f"labels instead of one class, got {self.n_classes}"
            )
        if self.n_classes and not ((labels >= 0) & (labels < self.n_classes)).all():
            raise ValueError(
                f"{where}: labels must be from 0 to {self.n_classes - 1}, because data.n_classes "
                f"is {self.n_classes}, got labels from {labels.min()} to {labels.max()}"
            )


def _already_collated(batch: Any) -> Any:
    return batch  # __getitems__ returns whole batches
