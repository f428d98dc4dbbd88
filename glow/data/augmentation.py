"""What training does to its images, so that it never sees one twice the same."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Shift every image of a batch by its own way, and mirror half of them.

    Shifts go up to ``max_shift`` of height and width, rounded down to whole pixels, in either
    direction, so that no value arises that the data does not have; what they lay bare is filled
    from the edge. ``flip`` mirrors left and right.

    The reference shifts CIFAR-10 and MNIST by up to 0.1, there by fractions of pixels, too, and
    mirrors nothing (``get_mnist_cifar.py``).

    Raises ``ValueError`` unless ``0 <= max_shift < 1``.
    """

    max_shift: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_shift < 1:
            raise ValueError(
                "data.max_shift is a part of height and width, from 0 to less than 1, "
                f"got {self.max_shift}"
            )

    def __call__(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Return new images (B,C,H,W) of the same type."""
        if not (self.max_shift or self.flip):
            return images
        height, width = images.shape[-2:]
        rows = self._places(len(images), height, random)
        columns = self._places(len(images), width, random)
        if self.flip:
            mirrored = torch.from_numpy(random.random(len(images)) < 0.5)
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        places = (rows[:, None, :, None] * width + columns[:, None, None, :]).flatten(2)
        places = places.expand(-1, images.shape[1], -1)
        return images.flatten(2).gather(2, places).view(images.shape)

    def _places(self, n: int, size: int, random: np.random.Generator) -> Tensor:
        """Return where the pixels of n shifted rows or columns come from, (n, size)."""
        most = int(self.max_shift * size)
        shifts = torch.from_numpy(random.integers(-most, most, (n, 1), endpoint=True))
        return (torch.arange(size) + shifts).clamp(0, size - 1)
