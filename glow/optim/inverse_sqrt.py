"""A learning rate for runs whose length is not known beforehand."""

import math


class InverseSqrt:
    """Factor of the learning rate: linear warm-up, then falling with the root of the step.

    ``min(t / w, sqrt(w / t))`` for step t, counted from 1, and ``w = warmup_steps``: 1 at its peak.
    It knows no end, so a run can be cut or continued at any step. An ``lr_lambda`` of
    ``torch.optim.lr_scheduler.LambdaLR``.
    """

    def __init__(self, warmup_steps: int) -> None:
        if warmup_steps < 1:
            raise ValueError(f"warmup_steps must be at least 1, got {warmup_steps}")
        self.warmup_steps = warmup_steps

    def __call__(self, step: int) -> float:
        """Return the factor for the step that follows ``step`` others."""
        t = step + 1
        return min(t / self.warmup_steps, math.sqrt(self.warmup_steps / t))
