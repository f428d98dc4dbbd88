"""Independent copies of a distribution, for vectors with more features."""

import torch
from torch import Tensor

from glow.targets.target import Distribution


class Copies(Distribution):
    """Vectors of n independent draws next to each other; entropy and log-density are sums.

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
        return self.target.log_density(x.reshape(-1, self.target.features)).view(-1, self.n).sum(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n vectors."""
        return self.target.sample(n * self.n, generator).view(n, self.features)
