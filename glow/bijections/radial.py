"""Radial flows: contraction or expansion around one point."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections.bijection import Bijection
from glow.bijections.precision import full_precision


class Radial(Bijection):
    r"""Move vectors toward a center or away from it: ``y = x + beta (x - c) / (alpha + r)``.

    With ``r = |x - c|``, ``alpha > 0`` and ``beta = s - alpha``, ::

        log_det = (D - 1) log((r + s) / (r + alpha)) + log((r^2 + 2 alpha r + alpha s) / (r +
        alpha)^2)

    The map is invertible if and only if ``beta > -alpha``, which is ``s > 0``; s and alpha are
    softplus of parameters. It starts as the identity, s = alpha = 1.

    Both directions are fast: the distance of x from the center solves a quadratic equation, so the
    inverse is exact up to rounding. Rezende and Mohamed 2015, equation 14 and appendix A.2.

    Args:
        features: The number of features, D.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.center = nn.Parameter(torch.randn(features))
        one = math.log(math.e - 1)  # softplus of it is 1
        self.raw_alpha = nn.Parameter(torch.tensor(one))
        self.raw_s = nn.Parameter(torch.tensor(one))

    def alpha_and_s(self) -> tuple[Tensor, Tensor]:
        """Return alpha and s, both scalars above 0."""
        raw = torch.stack([self.raw_alpha, self.raw_s])
        # A softplus may underflow, and the ratio of the two may overflow.
        alpha, s = F.softplus(raw).clamp_min(torch.finfo(raw.dtype).tiny ** 0.5)
        return alpha, s

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Move (B,D) along the line through the center."""
        with full_precision(x):
            alpha, s = self.alpha_and_s()
            offset = x - self.center
            r = torch.linalg.vector_norm(offset, dim=1)
            stretch = (r + s) / (r + alpha)
            # Ratios, because squares of large distances overflow.
            t = r + alpha
            along = (r / t) * ((r + 2 * alpha) / t) + (alpha / t) * (s / t)
            log_det = (x.shape[1] - 1) * stretch.log() + along.log()
            return self.center + stretch[:, None] * offset, log_det

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Solve ``r (r + s) / (r + alpha) = |y - c|`` for r, and move back."""
        with full_precision(y):
            alpha, s = self.alpha_and_s()
            offset = y - self.center
            distance = torch.linalg.vector_norm(offset, dim=1)
            # r^2 - b r - alpha * distance = 0. Of the two forms of its positive root, each is used
            # where it subtracts nothing.
            b = distance - s
            half = (b.abs() + (b.square() + 4 * alpha * distance).sqrt()) / 2
            r = torch.where(b > 0, half, alpha * distance / half)
            return self.center + ((r + alpha) / (r + s))[:, None] * offset
