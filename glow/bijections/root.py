"""Roots of increasing functions, by bracketing."""

from collections.abc import Callable

import torch
from torch import Tensor


def solve_increasing(
    function: Callable[[Tensor], tuple[Tensor, Tensor]],
    target: Tensor,
    lower: Tensor,
    upper: Tensor,
    *,
    precision: torch.dtype | None = None,
) -> Tensor:
    """Solve ``f(x) = target`` for an increasing f, element by element.

    The bracket is halved 31 times for float32 and 60 times for float64. The error is at most its
    width times 2^-31 or 2^-60, plus what the rounding of f costs. The count does not depend on the
    values, so nothing waits for the device.

    Gradients of the root are those of the implicit function theorem. They reach the target and
    whatever f depends on, once: there are no second derivatives.

    Args:
        function: From x to f(x) and f'(x), all of the shape of the target.
        target: The value of f.
        lower: Where f is at most the target.
        upper: Where f is at least the target.
        precision: The dtype in which the root is needed; None for that of the target.

    Returns:
        x, of the shape of the target.
    """
    with torch.no_grad():
        low, high = lower.expand_as(target), upper.expand_as(target)
        for _ in range(_precision_bits(precision or target.dtype) + 8):
            middle = low + (high - low) / 2
            below = function(middle)[0] < target
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        root = low + (high - low) / 2
    value, slope = function(root)
    # A step of Newton's method has the right gradient; the bracket has the better value, since the
    # slope may be close to 0.
    step = (target - value) / slope.detach()
    return root + (step - step.detach())


def _precision_bits(dtype: torch.dtype) -> int:
    return round(-torch.tensor(torch.finfo(dtype).eps).log2().item())
