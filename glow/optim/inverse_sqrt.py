"""A learning rate for runs whose length is not known beforehand."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class InverseSqrt(LambdaLR):
    """Linear warm-up, then falling with the root of the step.

    ``lr * min(t / w, sqrt(w / t))`` for step t, counted from 1, and ``w = warmup_steps``, where it
    peaks. It knows no end, so a run can be cut or continued at any step. Raises ``ValueError`` for
    ``warmup_steps`` below 1.
    """

    def __init__(self, optimizer: Optimizer, warmup_steps: int) -> None:
        if warmup_steps < 1:
            raise ValueError(f"warmup_steps must be at least 1, got {warmup_steps}")

        def factor(step: int) -> float:
            t = step + 1
            return min(t / warmup_steps, math.sqrt(warmup_steps / t))

        super().__init__(optimizer, factor)
