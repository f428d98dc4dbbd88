"""From latents to log-densities, and from nats to bits/dim."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def standard_normal_log_prob(latents: Iterable[Tensor]) -> Tensor:
    """Return ``log N(latents; 0, I)``, summed over everything but the batch.

    Args:
        latents: Tensors (B, ...), whose log-densities add up.

    Returns:
        Log-densities (B,), in nats.
    """
    terms = [-0.5 * (eps.square() + math.log(2 * math.pi)).flatten(1).sum(1) for eps in latents]
    return torch.stack(terms).sum(0)


def bits_per_dim(log_prob: Tensor, image_shape: Sequence[int]) -> Tensor:
    """Return ``-log_prob / (C * H * W * log 2)``: nats to bits per pixel and channel.

    Lower is better. An image of ``n_bits`` about which the model knows nothing costs ``n_bits``.

    Args:
        log_prob: Log-probabilities of images, in nats, of any shape.
        image_shape: The shape (C,H,W) of an image.

    >>> bits_per_dim(torch.tensor(-12 * math.log(256)), (3, 2, 2))
    tensor(8.)
    """
    return log_prob / (-math.prod(image_shape) * math.log(2))


def nats_per_bit(image_shape: Sequence[int]) -> float:
    """Return how many nats of an image (C,H,W) are one bit/dim: ``C * H * W * log 2``."""
    return math.prod(image_shape) * math.log(2)
