"""A source of numbered images, for tests of what all sources share."""

from dataclasses import dataclass
from typing import Any

import torch

from glow.data import ImageDataModule, SplitName


@dataclass(kw_only=True, eq=False)
class Numbered(ImageDataModule):
    """Images whose pixels are all their index; every split has the same ones."""

    n_images: int = 50
    n_channels: int = 1

    def read(self, split: SplitName) -> tuple[torch.Tensor, torch.Tensor]:
        index = torch.arange(self.n_images)
        images = index.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, self.n_channels, 4, 4)
        return images, index % 10


def numbered(**options: Any) -> Numbered:
    """Return a source of 50 images (1,4,4) in 10 classes, which have been read."""
    settings = {"image_shape": (1, 4, 4), "n_classes": 10, "batch_size": 8}
    data = Numbered(**{**settings, **options})
    data.setup()
    return data
