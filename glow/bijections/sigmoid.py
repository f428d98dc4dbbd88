"""Between the real line and the unit interval: sigmoid and logit."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from glow.bijections.bijection import Bijection


class Sigmoid(Bijection):
    """Map every entry to (0, 1): ``y = 1 / (1 + exp(-x))``.

    ``log_det = -sum(softplus(x) + softplus(-x))``, which stays finite where y rounds to 0 or 1.
    Both directions are fast. In float32 y rounds to 1 from x = 17 on, and ``inverse`` returns 16.6
    there, the logit of the largest number below 1.
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply the sigmoid to every entry of (B, ...)."""
        return x.sigmoid(), -_log_slope_of_logit(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Apply the logit."""
        return _logit(y)


class Logit(Bijection):
    """Map every entry from [l, l + 1] to the real line: ``y = logit(m + (1 - 2m) (x - l))``.

    The margin m keeps the ends of the interval away from infinity, as in RealNVP (Dinh et al. 2017,
    section 4.1). With p for the argument of the logit, ``log_det = -sum(log p + log(1 - p)) + D
    log(1 - 2m)``. Both directions are fast.

    Without a margin, the ends count as the nearest numbers between them, so results are finite.
    Entries outside of the interval have no logit, and become NaN.

    Args:
        margin: m, from 0 to below 0.5.
        low: l, the lower end of the interval: 0, or -0.5 for what a dequantizer returns.

    Raises:
        ValueError: If the margin is out of range.
    """

    def __init__(self, margin: float = 0.0, low: float = 0.0) -> None:
        super().__init__()
        if not 0 <= margin < 0.5:
            raise ValueError(f"margin must be at least 0 and below 0.5, got {margin}")
        self.margin = margin
        self.low = low

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply the logit to every entry of (B, ...)."""
        scale = 1 - 2 * self.margin
        y = _logit(self.margin + scale * (x - self.low))
        return y, _log_slope_of_logit(y) + x[0].numel() * math.log(scale)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Apply the sigmoid, and undo the margin."""
        return (y.sigmoid() - self.margin) / (1 - 2 * self.margin) + self.low


def _logit(p: Tensor) -> Tensor:
    limits = torch.finfo(p.dtype)
    inside = p.clamp(limits.tiny, 1 - limits.eps / 2)
    return torch.where((p >= 0) & (p <= 1), inside.log() - (-inside).log1p(), math.nan)


def _log_slope_of_logit(y: Tensor) -> Tensor:
    """Return ``-log p - log(1 - p)`` for p = sigmoid(y), summed over each example."""
    return (F.softplus(y) + F.softplus(-y)).flatten(1).sum(1)
