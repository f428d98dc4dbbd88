"""A pinwheel: normal distributions around a circle, twisted."""

import math

import torch
from torch import Tensor

from glow.targets.target import Distribution

N_BLADES = 5
STD = (0.6, 0.2)  # of a blade, along the radius and across it
RADIUS = 2.0
TWIST = 0.9  # radians for each unit of distance from the origin


class Pinwheel(Distribution):
    r"""Five normal distributions around a circle, rotated the further the more.

    ::

        x = R(twist |v|) v        v ~ 1/5 sum_k N(R(2 pi k / 5) (2, 0), ...)

    with R for the rotation by an angle. The twist preserves areas, since it only rotates each
    circle around the origin, so p(x) is the density of v, and the entropy is that of v, too.
    """

    def log_density(self, x: Tensor) -> Tensor:
        """Untwist x, and return the log-density of the mixture."""
        # The angle of the origin does not matter, but its gradient must be finite.
        radius = (x.square().sum(1) + torch.finfo(x.dtype).tiny).sqrt()
        blades = 2 * math.pi / N_BLADES * torch.arange(N_BLADES, dtype=x.dtype, device=x.device)
        along, across = _rotate(x[:, None], -TWIST * radius[:, None] - blades).unbind(-1)
        squares = ((along - RADIUS) / STD[0]).square() + (across / STD[1]).square()
        constant = math.log(2 * math.pi * STD[0] * STD[1] * N_BLADES)
        return (-squares / 2).logsumexp(1) - constant

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw a blade, a place in it, and twist."""
        v = torch.randn(n, 2, generator=generator) * torch.tensor(STD) + torch.tensor([RADIUS, 0])
        blade = torch.randint(N_BLADES, (n,), generator=generator)
        return _rotate(v, TWIST * v.norm(dim=1) + 2 * math.pi / N_BLADES * blade)


def _rotate(x: Tensor, angle: Tensor) -> Tensor:
    """Rotate x (...,2) by angles (...)."""
    a, b = x.unbind(-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1)
