"""Planar flows: a bump or a dent along one direction."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections.bijection import Bijection
from glow.bijections.precision import full_precision
from glow.bijections.root import solve_increasing


class Planar(Bijection):
    r"""Contract or expand vectors across a hyperplane: ``y = x + u tanh(w . x + b)``.

    ::

        log_det = log(1 + (1 - tanh(w . x + b)^2) w . u)

    The map is invertible if and only if ``w . u > -1``. The component of u along w is therefore
    ``(s - 1) / |w|`` with ``s = softplus(...) > 0``, whatever the parameters are. It starts as the
    identity, u = 0.

    ``forward`` is fast. ``inverse`` solves one scalar equation for ``w . x`` by bracketing, in an
    interval of width ``2 |w . u|``, up to the tolerance of ``solve_increasing``; both costs do not
    depend on D. For variational inference the fast direction must be the one that samples: use
    ``Inverse(Planar(...))``. Rezende and Mohamed 2015, equation 10 and appendix A.1.

    Args:
        features: The number of features, D.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features) / math.sqrt(features))
        self.bias = nn.Parameter(torch.zeros(()))
        self.raw_direction = nn.Parameter(torch.zeros(features))

    def direction_and_slope(self) -> tuple[Tensor, Tensor]:
        """Return u (D,), and ``s = 1 + w . u``, which is the smallest slope along w if below 1."""
        along = self.weight @ self.raw_direction
        # The offset makes s = 1 for a raw direction of 0. A softplus may underflow.
        tiny = torch.finfo(along.dtype).tiny
        slope = F.softplus(along + math.log(math.e - 1)).clamp_min(tiny)
        normal = self.weight / self.weight.square().sum().clamp_min(tiny)
        return self.raw_direction + (slope - 1 - along) * normal, slope

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Move (B,D) along u."""
        with full_precision(x):
            direction, slope = self.direction_and_slope()
            height = (x @ self.weight + self.bias).tanh()
            # 1 + (1 - h^2) (s - 1), as a sum of positive terms: nothing cancels where s is tiny.
            log_det = (height.square() + (1 - height.square()) * slope).log()
            return x + height[:, None] * direction, log_det

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Find ``w . x`` by bracketing, and move back."""
        with full_precision(y):
            direction, slope = self.direction_and_slope()

            def along_weight(along: Tensor) -> tuple[Tensor, Tensor]:
                height = (along + self.bias).tanh()
                rate = height.square() + (1 - height.square()) * slope
                return along + (slope - 1) * height, rate

            target = y @ self.weight
            reach = (slope - 1).abs()  # tanh is between -1 and 1
            along = solve_increasing(along_weight, target, target - reach, target + reach)
            return y - (along + self.bias).tanh()[:, None] * direction
