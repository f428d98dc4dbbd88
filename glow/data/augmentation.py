"""Random changes of training images, so that no two epochs see the same ones."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Shift images by random distances, and mirror them with probability 1/2.

    Shifts are whole pixels, so the pixel values stay those of the data. Pixels that a shift
    uncovers are copied from the nearest edge.

    The reference shifts CIFAR-10 and MNIST by up to 0.1, by fractions of pixels too, and mirrors
    nothing (``get_mnist_cifar.py``).

    Args:
        max_shift: The largest shift in each direction, as a fraction of height and width, rounded
            down to whole pixels.
        flip: Whether to mirror images, left to right.

    Raises:
        ValueError: If ``max_shift`` is not in [0, 1).
    """

    max_shift: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_shift < 1:
            raise ValueError(
                "data.max_shift must be a fraction of height and width, at least 0 and less than "
                f"1, got {self.max_shift}"
            )

    def __call__(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Augment a batch.

        Args:
            images: Images (B,C,H,W) of any type.
            random: The source of randomness.

        Returns:
            Images of the same shape and type; ``images`` itself if there is nothing to change.
        """
        if not (self.max_shift or self.flip):
            return images
        height, width = images.shape[-2:]
        rows = self._source_indices(len(images), height, random)
        columns = self._source_indices(len(images), width, random)
        if self.flip:
            mirrored = torch.from_numpy(random.random(len(images)) < 0.5)
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        pixels = (rows[:, None, :, None] * width + columns[:, None, None, :]).flatten(2)
        pixels = pixels.expand(-1, images.shape[1], -1)
        return images.flatten(2).gather(2, pixels).view(images.shape)

    def _source_indices(self, n: int, size: int, random: np.random.Generator) -> Tensor:
        """Return where n randomly shifted rows or columns of pixels come from, (n,size)."""
        largest = int(self.max_shift * size)
        shifts = torch.from_numpy(random.integers(-largest, largest, (n, 1), endpoint=True))
        return (torch.arange(size) + shifts).clamp(0, size - 1)
