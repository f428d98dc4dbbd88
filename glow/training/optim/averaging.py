"""Averages of the weights."""

from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


def warm_ema_(
    averages: list[Tensor], weights: list[Tensor], n_averaged: Tensor | int, decay: float = 0.999
) -> None:
    """Move averages towards weights, in place: ``average += (1 - d) * (weight - average)``.

    ``d = min(decay, (1 + n) / (10 + n))``, where n is the number of updates so far. The first
    weights do not hold a short run back, and a long run has an exponential moving average. This is
    a ``multi_avg_fn`` of ``torch.optim.swa_utils.AveragedModel``.

    Args:
        averages: The averages.
        weights: The weights, in the same order.
        n_averaged: n.
        decay: The largest d.
    """
    n = int(n_averaged)
    get_ema_multi_avg_fn(min(decay, (1 + n) / (10 + n)))(averages, weights, n)
