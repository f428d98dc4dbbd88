"""The training images nearest to samples, which show whether a model memorizes."""

import torch
from torch import Tensor

from glow.dequantizers import UniformDequantizer

CHUNK = 1024  # images that are compared at a time


def nearest(images: Tensor, among: Tensor, k: int, n_bits: int = 8) -> tuple[Tensor, Tensor]:
    """Find the k images nearest to each.

    The distance is the root of the mean squared difference of pixel values, from 0 to 255, of which
    only the upper ``n_bits`` are compared: those that a model sees. ``among`` may be mapped from a
    file; only a part of it is in memory at a time.

    Args:
        images: uint8 (N,C,H,W).
        among: uint8 (M,C,H,W), where to search.
        k: The number of neighbors.
        n_bits: The number of bits to compare.

    Returns:
        Distances (N,k), in increasing order, and indices (N,k).

    Raises:
        ValueError: If there are fewer than k images to search, or k is less than 1.
    """
    if not 1 <= k <= len(among):
        raise ValueError(
            f"there are {len(among)} images to find neighbors among; got n_neighbors={k}"
        )
    quantize = UniformDequantizer(n_bits).quantize
    wanted = quantize(images.cpu()).flatten(1).float()
    best, where = torch.empty(len(images), 0), torch.empty(len(images), 0, dtype=torch.long)
    for start in range(0, len(among), CHUNK):
        chunk = quantize(among[start : start + CHUNK].cpu()).flatten(1).float()
        mode = "donot_use_mm_for_euclid_dist"  # so that an image has distance 0 to itself
        distances = torch.cdist(wanted, chunk, compute_mode=mode)
        numbers = torch.arange(start, start + len(chunk)).expand(len(images), -1)
        distances, numbers = torch.cat([best, distances], 1), torch.cat([where, numbers], 1)
        best, order = distances.topk(min(k, distances.shape[1]), largest=False)
        where = numbers.gather(1, order)
    return best / wanted.shape[1] ** 0.5, where
