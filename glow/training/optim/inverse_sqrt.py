"""A learning rate for runs whose length is not known in advance."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class InverseSqrt(LambdaLR):
    """Linear warm-up, then decay with the square root of the step.

    At step t, counted from 1, the rate is ``lr * min(t / w, sqrt(w / t))`` with
    ``w = warmup_steps``, where it peaks. It does not depend on the length of the run, so a run can
    be cut or continued at any step.

    Args:
        optimizer: The optimizer.
        warmup_steps: The length of the warm-up.

    Raises:
        ValueError: If ``warmup_steps`` is less than 1.
    """

    def __init__(self, optimizer: Optimizer, warmup_steps: int) -> None:
        if warmup_steps < 1:
            raise ValueError(f"warmup_steps must be at least 1, got {warmup_steps}")

        def factor(step: int) -> float:
            t = step + 1
            return min(t / warmup_steps, math.sqrt(warmup_steps / t))

        super().__init__(optimizer, factor)
