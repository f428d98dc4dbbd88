"""Curves with normal noise around them, and the data sets that are such curves."""

import math
from abc import abstractmethod

import torch
from torch import Tensor

from glow.targets.target import Distribution

LOG_2PI = math.log(2 * math.pi)


class NoisyCurves(Distribution):
    r"""Points on one of K curves, all equally likely, with normal noise.

    ::

        x = c_k(t) + noise * eps        k uniform in 1, ..., K        t uniform in [0, 1]
        p(x) = 1/K sum_k (integral of N(x; c_k(t), noise^2 I) over t)

    The integral is the midpoint rule with ``n_nodes`` values of t. Its error is far below 1e-4 nats
    as long as the nodes are closer than the noise is wide.

    Args:
        noise: The standard deviation of the noise.

    Raises:
        ValueError: If ``noise`` is not above 0.
    """

    n_nodes: int = 128

    def __init__(self, noise: float) -> None:
        if not 0 < noise < math.inf:
            raise ValueError(f"noise must be above 0, got {noise}")
        self.noise = noise

    @abstractmethod
    def curves(self, t: Tensor) -> Tensor:
        """Return the points of all K curves (K,n,2) at t (n,)."""

    def log_density(self, x: Tensor) -> Tensor:
        """Return the logarithm of the density, which is normalized."""
        t = (torch.arange(self.n_nodes, dtype=x.dtype, device=x.device) + 0.5) / self.n_nodes
        nodes = self.curves(t).flatten(0, 1)
        (x_1, x_2), (node_1, node_2) = x.T, nodes.T
        squares = (x_1[:, None] - node_1).square() + (x_2[:, None] - node_2).square()
        exponents = -squares / (2 * self.noise**2)
        constant = LOG_2PI + 2 * math.log(self.noise) + math.log(len(nodes))
        return exponents.logsumexp(1) - constant

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw t, a curve, and noise."""
        points = self.curves(torch.rand(n, generator=generator))
        which = torch.randint(len(points), (n,), generator=generator)
        noise = torch.randn(n, 2, generator=generator)
        return points[which, torch.arange(n)] + self.noise * noise


class EightGaussians(NoisyCurves):
    """Eight normal distributions around a circle of radius 2.8: curves of length 0.

    Args:
        noise: The standard deviation of each.
    """

    n_nodes = 1

    def __init__(self, noise: float = 0.35) -> None:
        super().__init__(noise)

    def curves(self, t: Tensor) -> Tensor:
        """Return the centers, whatever t is."""
        angles = torch.arange(8, dtype=t.dtype, device=t.device) * math.pi / 4
        return _around(angles[:, None].expand(-1, len(t)), 2.8)


class Rings(NoisyCurves):
    """Three circles around the origin, of radius 1, 2 and 3.

    Args:
        noise: The standard deviation of the noise.
    """

    def __init__(self, noise: float = 0.15) -> None:
        super().__init__(noise)

    def curves(self, t: Tensor) -> Tensor:
        """Walk once around each."""
        radii = torch.tensor([1.0, 2.0, 3.0], dtype=t.dtype, device=t.device)
        return _around(2 * math.pi * t.expand(3, -1), radii[:, None])


class TwoMoons(NoisyCurves):
    """Two half circles of radius 2, each with an end in the other; those of scikit-learn, doubled.

    Args:
        noise: The standard deviation of the noise.
    """

    def __init__(self, noise: float = 0.2) -> None:
        super().__init__(noise)

    def curves(self, t: Tensor) -> Tensor:
        """Walk along the upper and the lower one."""
        upper = _around(math.pi * t, 2.0) - t.new_tensor([1.0, 0.5])
        return torch.stack([upper, -upper])


class TwoSpirals(NoisyCurves):
    """Two spirals of one and a half turns, one of them the other rotated by half a turn.

    As those of FFJORD (Grathwohl et al. 2019), with normal noise only.

    Args:
        noise: The standard deviation of the noise.
    """

    n_nodes = 192

    def __init__(self, noise: float = 0.1) -> None:
        super().__init__(noise)

    def curves(self, t: Tensor) -> Tensor:
        """Walk outward; the root spreads the points evenly over the length."""
        angle = 3 * math.pi * t.sqrt()
        spiral = _around(angle, angle / 3)
        return torch.stack([spiral, -spiral])


def _around(angle: Tensor, radius: float | Tensor) -> Tensor:
    """Return points (...,2) at angles (...) and distances from the origin."""
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
