"""Base distributions: where the latents of a density come from."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.likelihood import standard_normal_log_prob


class Base(nn.Module, ABC):
    """A fixed distribution of independent entries.

    Args:
        shape: The shape of an example without the batch: D, or (C,H,W).
    """

    origin: Tensor

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        # It carries shape, dtype and device; no checkpoint needs it.
        self.register_buffer("origin", torch.zeros(shape), persistent=False)

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Return the log-density of z (B, ...), (B,), in nats."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw examples.

        Args:
            n: How many.
            generator: Where random numbers come from; None for PyTorch's global generator.

        Returns:
            z (n, ...), in the dtype and on the device of the module.
        """

    def empty(self, n: int) -> Tensor:
        """Return room for n examples."""
        return self.origin.new_empty((n, *self.origin.shape))


class StandardNormal(Base):
    """Every entry is N(0, 1)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Return ``log N(z; 0, I)``."""
        return standard_normal_log_prob([z])

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw from N(0, I)."""
        return self.empty(n).normal_(generator=generator)


class StandardUniform(Base):
    """Every entry is uniform in [0, 1]: the base of flows that end with a CDF, such as ``Sigmoid``.

    The density is 1 inside and 0, whose logarithm is minus infinity, outside.
    """

    def log_prob(self, z: Tensor) -> Tensor:
        """Return 0 inside, and minus infinity outside."""
        inside = ((z >= 0) & (z <= 1)).flatten(1).all(1)
        return torch.where(inside, 0.0, -math.inf).to(z)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw from the unit cube."""
        return self.empty(n).uniform_(generator=generator)


class StandardLogistic(Base):
    """Every entry is logistic: its CDF is the sigmoid, and its tails are heavier than a normal's.

    ``log p(z) = -sum(softplus(z) + softplus(-z))``. The base of NICE; Dinh et al. 2014, section
    3.4.
    """

    def log_prob(self, z: Tensor) -> Tensor:
        """Return the log-density, which is finite for every finite z."""
        return -(F.softplus(z) + F.softplus(-z)).flatten(1).sum(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw the logarithm of the ratio of two exponential variables."""
        # The logit of a uniform variable would be infinite if the variable rounds to 0 or 1.
        above, below = (self.empty(n).exponential_(generator=generator) for _ in range(2))
        return above.log() - below.log()
