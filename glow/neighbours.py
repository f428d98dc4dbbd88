"""The training images that are nearest to samples, so that memorising shows."""

import torch
from torch import Tensor

from glow.layers import Dequantize

CHUNK = 1024  # images that are compared at a time


def nearest(images: Tensor, among: Tensor, k: int, n_bits: int = 8) -> tuple[Tensor, Tensor]:
    """Return distances and indices of the k images nearest to each, (N,k) both, nearest first.

    Images are uint8, (N,C,H,W) and (M,C,H,W). The distance is the root of the mean squared
    difference of pixel values, from 0 to 255, of both of which ``n_bits`` are looked at: those that
    a model keeps. Of ``among``, which may be mapped from a file, some are in memory at a time.
    Raises ``ValueError`` where there are not k.
    """
    if not 1 <= k <= len(among):
        raise ValueError(
            f"there are {len(among)} images to find neighbours among; got n_neighbours={k}"
        )
    kept = Dequantize(n_bits).kept
    wanted = kept(images.cpu()).flatten(1).float()
    best, where = torch.empty(len(images), 0), torch.empty(len(images), 0, dtype=torch.long)
    for start in range(0, len(among), CHUNK):
        chunk = kept(among[start : start + CHUNK].cpu()).flatten(1).float()
        mode = "donot_use_mm_for_euclid_dist"  # an image must be at 0 of itself
        distances = torch.cdist(wanted, chunk, compute_mode=mode)
        numbers = torch.arange(start, start + len(chunk)).expand(len(images), -1)
        distances, numbers = torch.cat([best, distances], 1), torch.cat([where, numbers], 1)
        best, order = distances.topk(min(k, distances.shape[1]), largest=False)
        where = numbers.gather(1, order)
    return best / wanted.shape[1] ** 0.5, where
