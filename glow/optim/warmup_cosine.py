"""A learning rate for runs whose length is known."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class WarmupCosine(LambdaLR):
    """Linear warm-up, then half a cosine down to nothing at the end of the run.

    ``lr * t / w`` for step t, counted from 1, up to ``w = warmup_steps``; then
    ``lr * (1 + cos(pi * (t - w) / (total_steps + 1 - w))) / 2``. Raises ``ValueError`` where the
    run is not longer than the warm-up, or endless.
    """

    def __init__(self, optimizer: Optimizer, total_steps: float, warmup_steps: int) -> None:
        if not 1 <= warmup_steps < total_steps < math.inf:
            raise ValueError(
                f"a cosine schedule with warmup_steps={warmup_steps} needs at least 1 of them and "
                f"a run with an end beyond them, got a run of {total_steps} steps; set "
                "scheduler.warmup_steps lower, or trainer.max_epochs or trainer.max_steps higher"
            )

        def factor(step: int) -> float:
            t = min(step + 1, total_steps + 1)
            if t <= warmup_steps:
                return t / warmup_steps
            done = (t - warmup_steps) / (total_steps + 1 - warmup_steps)
            return (1 + math.cos(math.pi * done)) / 2

        super().__init__(optimizer, factor)
