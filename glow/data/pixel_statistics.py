"""Mean and standard deviation of the pixels of data sets that do not fit into memory."""

import torch
from torch import Tensor

CHUNK = 4096  # the number of images that are in memory at once


def pixel_counts(images: Tensor) -> Tensor:
    """Count how often each channel has each value.

    Counts of several sets of images may be added.

    Args:
        images: uint8 images (N,C,H,W).

    Returns:
        Counts, int64 (C,256).
    """
    channels = images.shape[1]
    offset = 256 * torch.arange(channels)[:, None]
    counts = torch.zeros(channels * 256, dtype=torch.int64)
    for chunk in images.split(CHUNK):
        values = chunk.transpose(0, 1).flatten(1) + offset
        counts += values.flatten().bincount(minlength=len(counts))
    return counts.view(channels, 256)


def mean_and_std(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of every channel.

    Args:
        counts: What ``pixel_counts`` returned, (C,256).

    Returns:
        Means (C,) and standard deviations (C,), biased, of pixels scaled to [0, 1], in float64.
    """
    values = torch.arange(256, dtype=torch.float64) / 255
    shares = counts / counts.sum(dim=1, keepdim=True, dtype=torch.float64)
    mean = shares @ values
    return mean, (shares @ values**2 - mean**2).clamp(min=0).sqrt()
