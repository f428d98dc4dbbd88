"""Independent copies of a distribution, for vectors with more features."""

import torch
from torch import Tensor

from glow.targets.target import Distribution


class Copies(Distribution):
    """Vectors of n independent draws; entropy and log-density are sums.

    A vector holds the first features of all draws, then the second ones, and so on. So a coupling,
    which splits vectors in the middle, sees one feature of a pair when it transforms the other.

    Args:
        target: What is drawn.
        n: How many times.
    """

    def __init__(self, target: Distribution, n: int) -> None:
        self.target = target
        self.n = n
        self.features = n * target.features
        self.bound = target.bound
        self.entropy = n * target.entropy

    def log_density(self, x: Tensor) -> Tensor:
        """Return the sum over the copies."""
        draws = x.unflatten(1, (-1, self.n)).transpose(1, 2).flatten(0, 1)
        return self.target.log_density(draws).view(-1, self.n).sum(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n vectors."""
        draws = self.target.sample(n * self.n, generator)
        return draws.unflatten(0, (n, self.n)).transpose(1, 2).flatten(1)
