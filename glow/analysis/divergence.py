"""How far a density over vectors is from its target, in both directions."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from glow.models import Density
from glow.targets import Distribution, Target


class Estimate(NamedTuple):
    """A mean over samples.

    Args:
        mean: The mean.
        standard_error: Its standard error.
    """

    mean: float
    standard_error: float

    @classmethod
    def of(cls, values: Tensor) -> "Estimate":
        """Return the mean of values (N,) and its standard error."""
        values = values.double()
        return cls(values.mean().item(), values.std().item() / math.sqrt(len(values)))


@torch.no_grad()
def held_out_nats(
    density: Density, target: Distribution, n: int, generator: torch.Generator
) -> Estimate:
    """Return ``-E[log q(x)]`` over the target: its entropy, plus KL(p || q).

    Args:
        density: The density q.
        target: The target p.
        n: The number of samples.
        generator: The source of randomness, which should not be that of training.
    """
    return Estimate.of(-density.log_prob(target.sample(n, generator)))


@torch.no_grad()
def reverse_kl(density: Density, target: Target, n: int, generator: torch.Generator) -> Estimate:
    """Return KL(q || p), in nats; it is infinite if the density goes where its target is 0.

    Args:
        density: The density q.
        target: The target p, whose normalizer is computed on a grid if it is not known.
        n: The number of samples.
        generator: The source of randomness.
    """
    x, log_q = density.rsample_and_log_prob(n, generator=generator)
    return Estimate.of(log_q - target.log_density(x) + target.log_normalizer)
