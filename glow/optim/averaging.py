"""Averages of the weights."""

import torch
from torch import Tensor


@torch.no_grad()
def warm_ema_(
    averages: list[Tensor], weights: list[Tensor], n_averaged: Tensor | int, decay: float = 0.999
) -> None:
    """Move averages towards weights: ``average += (1 - d) * (weight - average)``, in place.

    ``d = min(decay, (1 + n) / (10 + n))``, n being the number of updates so far: a short run is
    not held back by its first weights, and a long one has an exponential moving average. It is a
    ``multi_avg_fn`` of ``torch.optim.swa_utils.AveragedModel``.
    """
    n = int(n_averaged)
    torch._foreach_lerp_(averages, weights, 1.0 - min(decay, (1 + n) / (10 + n)))
