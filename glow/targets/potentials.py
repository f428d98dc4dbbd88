"""Four energy functions, which are known only up to the factor that normalizes their density."""

import math
from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from glow.targets.target import Target

WALL = 0.25  # how soft the ends of the last three are


class Potential(Target):
    """The density proportional to ``exp(-U(x))``; Rezende and Mohamed 2015, table 1.

    The second to the fourth do not decay along x_1, so no factor would normalize them. The paper
    shows [-4, 4]^2, and there they end here: beyond, a parabola is added to U.
    """

    @abstractmethod
    def energy(self, x: Tensor) -> Tensor:
        """Return U(x), (B,), for x (B,2)."""

    def log_density(self, x: Tensor) -> Tensor:
        """Return ``-U(x)``, and what ends it."""
        beyond = F.relu(x[:, 0].abs() - self.bound) / WALL
        return -self.energy(x) - beyond.square() / 2


class Potential1(Potential):
    """Two lobes on a ring of radius 2."""

    def energy(self, x: Tensor) -> Tensor:
        """Return U_1."""
        ring = _square((torch.linalg.vector_norm(x, dim=1) - 2) / 0.4)
        return ring - torch.logaddexp(-_square((x[:, 0] - 2) / 0.6), -_square((x[:, 0] + 2) / 0.6))


class Potential2(Potential):
    """A wave."""

    def energy(self, x: Tensor) -> Tensor:
        """Return U_2."""
        return _square((x[:, 1] - _wave(x)) / 0.4)


class Potential3(Potential):
    """A wave with a second one that leaves it for a bump."""

    def energy(self, x: Tensor) -> Tensor:
        """Return U_3."""
        height = x[:, 1] - _wave(x)
        bump = 3 * (-_square((x[:, 0] - 1) / 0.6)).exp()
        return -torch.logaddexp(-_square(height / 0.35), -_square((height + bump) / 0.35))


class Potential4(Potential):
    """A wave that splits in two."""

    def energy(self, x: Tensor) -> Tensor:
        """Return U_4."""
        height = x[:, 1] - _wave(x)
        step = 3 * ((x[:, 0] - 1) / 0.3).sigmoid()
        return -torch.logaddexp(-_square(height / 0.4), -_square((height + step) / 0.35))


def _wave(x: Tensor) -> Tensor:
    return (math.pi / 2 * x[:, 0]).sin()


def _square(x: Tensor) -> Tensor:
    return x.square() / 2
