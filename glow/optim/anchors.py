"""The unit in which the reference counts what it has seen of the data."""

import math

ANCHOR_PIXELS = 32 * 32
EPOCH = 50_000  # anchors; the same for every data set


def anchors(n_images: int, height: int, width: int) -> float:
    """Return how many images of 32x32 pixels n images are worth.

    The reference's epochs, and so its warm-up and the memory of its optimizer, are counted in them
    (``n_batch_train`` and ``anchor_size`` of its ``train.py``).
    """
    return n_images * height * width / ANCHOR_PIXELS


def steps_per_epoch(anchors_per_step: float) -> int:
    """Return the steps of one of the reference's epochs, rounded up."""
    return max(1, math.ceil(EPOCH / anchors_per_step))
