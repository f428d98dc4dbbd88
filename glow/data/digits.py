"""The handwritten digits inside scikit-learn: real images that need no download."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits

from glow.data.image_data_module import Batch, ImageDataModule, SplitName
from glow.data.split import split_indices

N_LEVELS = 17  # a pixel counts the dark ones among 4x4 scanned pixels: 0 to 16
N_TEST = 300
N_VAL = 200


@dataclass(kw_only=True, eq=False)
class Digits(ImageDataModule):
    """1,797 handwritten digits of 8x8 pixels in 10 classes: 1,297 train, 200 val, 300 test.

    The 17 gray levels are spread over the 32 bins of a 5-bit image, from black to white, one level
    per bin at most.

    See ``ImageDataModule`` for the arguments.

    Raises:
        ValueError: If ``n_bits`` is less than 5, so that several gray levels would share a bin.
    """

    image_shape: tuple[int, int, int] = (1, 8, 8)
    n_bits: int = 5
    n_classes: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if 2**self.n_bits < N_LEVELS:
            raise ValueError(
                f"data.n_bits must be from 5 to 8, because the digits have {N_LEVELS} gray levels, "
                f"got {self.n_bits}"
            )

    def read(self, split: SplitName) -> Batch:
        """Return the images and labels of one of three fixed, disjoint splits."""
        digits = load_digits()
        bins = np.rint(digits.images * (31 / (N_LEVELS - 1)))
        images = torch.from_numpy(bins.astype(np.uint8) * 8)[:, None]
        labels = torch.from_numpy(digits.target).long()
        indices = split_indices(len(images), {"test": N_TEST, "val": N_VAL})[split]
        return images[indices], labels[indices]
