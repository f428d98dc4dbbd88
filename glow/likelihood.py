"""From latents to log-densities, and from nats to bits/dim."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def standard_normal_log_prob(latents: Iterable[Tensor]) -> Tensor:
    """Return ``log N(latents; 0, I)``, summed over everything but the batch: (B,), in nats.

    ``latents`` are tensors (B, ...), whose log-densities add up.
    """
    terms = [-0.5 * (eps.square() + math.log(2 * math.pi)).flatten(1).sum(1) for eps in latents]
    return torch.stack(terms).sum(0)


def bits_per_dim(log_prob: Tensor, image_shape: Sequence[int]) -> Tensor:
    """Return ``-log_prob / (C * H * W * log 2)``: nats to bits per pixel and channel.

    The sign makes lower better. An image of ``n_bits`` that the model knows nothing about costs
    ``n_bits`` bits/dim.
    """
    return log_prob / (-math.prod(image_shape) * math.log(2))
