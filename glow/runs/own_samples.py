"""Samples of a model, which take the place of images where there are none."""

from dataclasses import dataclass, field

import torch

from glow.analysis import batches
from glow.data import SPLITS, Batch, ImageDataModule, SplitName
from glow.models import ImageFlow


@dataclass(kw_only=True, eq=False)
class OwnSamples(ImageDataModule):
    """Samples that a model draws: other ones in each split, and always the same.

    Args:
        model: The model.
        n_images: The number of samples in each split.
        temperature: The temperature of all levels.

    See ``ImageDataModule`` for the other arguments.
    """

    model: ImageFlow
    n_images: int = 64
    temperature: float = 0.7
    image_shape: tuple[int, int, int] = field(init=False)
    n_bits: int = field(default=8, init=False)
    n_classes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        channels, height, width = self.model.image_shape
        self.image_shape = (channels, height, width)
        self.n_bits, self.n_classes = self.model.dequantizer.n_bits, self.model.n_classes
        self.batch_size = min(self.batch_size, self.n_images)
        super().__post_init__()

    def image_name(self, split: str, index: int) -> str:
        """Return a name that does not pretend that the image is real."""
        return f"sample {index}"

    def read(self, split: SplitName) -> Batch:
        """Draw the samples of a split; those of a model with classes are from all of them."""
        labels = batches.classes_in_turn(self.model, self.n_images)
        seed = self.seed + 1 + SPLITS.index(split)
        images = batches.sample(self.model.frozen(), self.n_images, self.temperature, labels, seed)
        return images, torch.zeros(len(images), dtype=torch.long) if labels is None else labels
