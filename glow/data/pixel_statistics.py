"""Mean and standard deviation of pixels, of data sets that fit into no memory."""

import torch
from torch import Tensor

CHUNK = 4096  # images that are in memory at once


def pixel_counts(images: Tensor) -> Tensor:
    """Return how often each channel of uint8 images (N,C,H,W) has each value, int64 (C,256).

    Counts of several sets of images may be added.
    """
    channels = images.shape[1]
    offset = 256 * torch.arange(channels)[:, None]
    counts = torch.zeros(channels * 256, dtype=torch.int64)
    for chunk in images.split(CHUNK):
        values = chunk.transpose(0, 1).flatten(1) + offset
        counts += values.flatten().bincount(minlength=len(counts))
    return counts.view(channels, 256)


def mean_and_std(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation per channel, (C,), of pixels from 0 to 1."""
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts / counts.sum(dim=1, keepdim=True, dtype=torch.float64)
    mean = share @ values
    return mean, (share @ values**2 - mean**2).clamp(min=0).sqrt()
