"""A learning rate for runs whose length is known."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class WarmupCosine(LambdaLR):
    """Linear warm-up, then half a cosine down to zero at the end of the run.

    At step t, counted from 1, the rate is ``lr * t / w`` up to ``w = warmup * total_steps``,
    rounded up; then ``lr * (1 + cos(pi * (t - w) / (total_steps + 1 - w))) / 2``.

    Args:
        optimizer: The optimizer.
        total_steps: The number of steps of the run.
        warmup: The length of the warm-up, as a fraction of the run.

    Raises:
        ValueError: If ``warmup`` is not a fraction of the run, or the run has no end.
    """

    def __init__(self, optimizer: Optimizer, total_steps: float, warmup: float = 0.05) -> None:
        if not 0 <= warmup < 1 or math.isinf(total_steps):
            raise ValueError(
                "a cosine schedule needs a warm-up from 0 to 1, as a fraction of a run, and a run "
                f"with an end, got warmup={warmup} and {total_steps} steps; set trainer.max_epochs "
                "or trainer.max_steps, or scheduler=inverse_sqrt"
            )
        warmup_steps = math.ceil(warmup * total_steps)

        def factor(step: int) -> float:
            t = min(step + 1, total_steps + 1)
            if t <= warmup_steps:
                return t / warmup_steps
            return (
                1 + math.cos(math.pi * (t - warmup_steps) / (total_steps + 1 - warmup_steps))
            ) / 2

        super().__init__(optimizer, factor)
