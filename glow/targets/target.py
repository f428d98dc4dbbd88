"""What a flow learns: a density, perhaps unnormalized, and perhaps with samples."""

import functools
import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from glow.targets.grid import Grid

CELLS = 250  # along a side, for integrals: exact to 1e-4 where nothing is finer than two cells


class Target(ABC):
    """A density on R^D, known up to a factor: enough for variational inference."""

    features: int = 2  # D
    bound: float = 4.0  # pictures show [-bound, bound]^2, and hardly anything is outside

    @abstractmethod
    def log_density(self, x: Tensor) -> Tensor:
        """Return the logarithm of the density, up to a constant.

        Args:
            x: Vectors (B,D).

        Returns:
            Values (B,), in nats.
        """

    @functools.cached_property
    def log_normalizer(self) -> float:
        """The logarithm of the integral of ``exp(log_density)``, in nats."""
        return math.log(Grid(1.5 * self.bound, CELLS).integral(self.log_density))


class Distribution(Target):
    """A normalized density with samples: enough for maximum likelihood, too."""

    log_normalizer = 0.0

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw vectors.

        Args:
            n: How many.
            generator: Where random numbers come from; None for PyTorch's global generator.

        Returns:
            Vectors (n,D), float32.
        """

    @functools.cached_property
    def entropy(self) -> float:
        """The entropy, in nats: what no density has a lower mean of ``-log_prob`` than."""
        return Grid(1.25 * self.bound, CELLS).entropy(self.log_density)
