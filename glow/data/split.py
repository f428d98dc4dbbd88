"""Parts of a source that has fewer official splits than training needs."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from glow.data.image_data_module import SplitName

SEED = 0  # never changes, so that the test images stay the test images


def cut(n_images: int, sizes: Mapping[SplitName, int]) -> dict[SplitName, Tensor]:
    """Return indices of disjoint parts of the given sizes, and of the rest, which is for training.

    They are drawn at random, and are always the same for the same sizes. Raises ``ValueError``
    where nothing would be left.
    """
    if min(sizes.values(), default=0) < 0 or sum(sizes.values()) >= n_images:
        wanted = ", ".join(f"{size} for {split}" for split, size in sizes.items())
        raise ValueError(
            f"{wanted} cannot be cut from {n_images} training images: some must be left"
        )
    order = torch.from_numpy(np.random.default_rng(SEED).permutation(n_images))
    parts = order.split([*sizes.values(), n_images - sum(sizes.values())])
    return dict(zip([*sizes, "train"], parts, strict=True))
