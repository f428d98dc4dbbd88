"""Splits of sources that have fewer official ones than training needs."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from glow.data.image_data_module import SplitName

SEED = 0  # must never change: another seed would train on images that earlier runs were tested on


def split_indices(n_images: int, sizes: Mapping[SplitName, int]) -> dict[SplitName, Tensor]:
    """Split images at random, always in the same way.

    Args:
        n_images: The number of images.
        sizes: The number of images of every split except train.

    Returns:
        Disjoint indices of every split in ``sizes``, and of train, which gets the remaining images.

    Raises:
        ValueError: If a size is negative, or no image remains for train.

    >>> {split: len(indices) for split, indices in split_indices(50, {"test": 10}).items()}
    {'test': 10, 'train': 40}
    """
    if min(sizes.values(), default=0) < 0 or sum(sizes.values()) >= n_images:
        got = ", ".join(f"{split}={size}" for split, size in sizes.items())
        raise ValueError(
            "the sizes of splits must be at least 0 and leave some of the "
            f"{n_images} training images, got {got}"
        )
    order = torch.from_numpy(np.random.default_rng(SEED).permutation(n_images))
    parts = order.split([*sizes.values(), n_images - sum(sizes.values())])
    return dict(zip([*sizes, "train"], parts, strict=True))
