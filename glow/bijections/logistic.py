"""From the logistic distribution to the normal one."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from glow.bijections.bijection import Bijection, sum_per_example

NEWTON_STEPS = {torch.float32: 4, torch.float64: 5}  # the last one is for the gradient alone


class LogisticToNormal(Bijection):
    """Map logistic entries to normal ones: ``y = quantile(sigmoid(x))``, that of N(0, 1).

    At the end of a flow it makes a logistic base of a normal one, because ``log N(y; 0, 1) +
    log_det`` is the log-density of the logistic distribution at x: ``-softplus(x) - softplus(-x)``.
    So the latents are N(0, 1) all the same.

    Forward solves ``logit(cdf(y)) = x`` by Newton's method in ``NEWTON_STEPS``; the inverse is that
    formula. Both work with logarithms, so that x = 1000, where sigmoid and CDF round to 1, is as
    exact as x = 1.
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gaussianize every entry of (B, ...)."""
        with torch.no_grad():
            size = x.abs()
            # Two bounds from above. The function is convex there, so no step leads below the root.
            bound = (2 * (F.softplus(size) - math.log(2)).clamp(min=0)).sqrt()
            y = torch.minimum(size * math.sqrt(math.pi / 8), bound)
            for _ in range(NEWTON_STEPS.get(x.dtype, 5) - 1):
                reached, log_step = _logit_of_cdf(y)
                y = y + (size - reached) * log_step.exp()
            reached, log_step = _logit_of_cdf(y)
        # Gradients pass through the last step.
        y = y.copysign(x) + (x - reached.copysign(x)) * log_step.exp()
        return y, sum_per_example(_logit_of_cdf(y.abs())[1])

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Apply the normal CDF, then the logit."""
        return _logit_of_cdf(y.abs())[0] * y.sign()


def _logit_of_cdf(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``log cdf(y) - log cdf(-y)`` for y from 0 on, and minus the log of its slope."""
    scaled_tail = torch.special.erfcx(y / math.sqrt(2)) / 2  # cdf(-y) / exp(-y^2 / 2)
    tail = scaled_tail * (-y.square() / 2).exp()
    log_cdf, log_scaled_tail = (-tail).log1p(), scaled_tail.log()
    log_tail = log_scaled_tail - y.square() / 2
    return log_cdf - log_tail, log_scaled_tail + log_cdf + math.log(2 * math.pi) / 2
