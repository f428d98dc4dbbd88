"""The unit in which the reference counts the data it has seen."""

import math

ANCHOR_PIXELS = 32 * 32
EPOCH = 50_000  # anchors; the same for every data set


def anchors(n_images: int, height: int, width: int) -> float:
    """Return to how many images of 32x32 pixels some images are equivalent.

    The reference counts its epochs in them, and with these its warm-up and the memory of its
    optimizer (``n_batch_train`` and ``anchor_size`` of ``train.py``).

    Args:
        n_images: The number of images.
        height: The height of an image.
        width: The width of an image.

    >>> anchors(128, 64, 64)
    512.0
    """
    return n_images * height * width / ANCHOR_PIXELS


def steps_per_epoch(anchors_per_step: float) -> int:
    """Return the number of steps in one of the reference's epochs, rounded up."""
    return max(1, math.ceil(EPOCH / anchors_per_step))
