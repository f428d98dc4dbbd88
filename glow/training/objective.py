"""What training minimizes: the divergence of a density from its target, in one direction."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from glow.models import Density
from glow.targets import Distribution, Target

# A density, the number of vectors, and the source of randomness -> loss, in nats.
Objective = Callable[[Density, int, torch.Generator], Tensor]


class MaximumLikelihood:
    """``-E[log q(x)]`` over samples x of the target p: KL(p || q), plus the entropy of p.

    It runs the flow from x to z.

    Args:
        target: The target p.

    Raises:
        ValueError: If the target has no samples.
    """

    def __init__(self, target: Any) -> None:
        if not isinstance(target, Distribution):
            raise ValueError(
                f"{type(target).__name__} has no samples to learn from: set objective=variational"
            )
        self.target = target

    def __call__(self, density: Density, n: int, generator: torch.Generator) -> Tensor:
        """Draw n vectors of the target."""
        return -density.log_prob(self.target.sample(n, generator)).mean()


class ReverseKL:
    """``E[log q(x) - log p(x)]`` over samples x of the density q: KL(q || p), up to a constant.

    It runs the flow from z to x, and needs the target only up to a factor: variational inference
    (Rezende and Mohamed 2015, equation 15). With another density as the target it is probability
    density distillation (van den Oord et al. 2018, section 4), whose teacher has to evaluate and
    whose student has to sample.

    Args:
        target: The target p.
    """

    def __init__(self, target: Target | Density) -> None:
        self.log_density = target.log_prob if isinstance(target, Density) else target.log_density

    def __call__(self, density: Density, n: int, generator: torch.Generator) -> Tensor:
        """Draw n vectors of the density."""
        x, log_q = density.rsample_and_log_prob(n, generator=generator)
        return (log_q - self.log_density(x)).mean()
