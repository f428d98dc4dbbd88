"""A constant learning rate between a warm-up and a slow decay, as in Flow++."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class LinearWarmup(LambdaLR):
    """Linear warm-up, a constant rate, and, if wanted, a decay down to a floor.

    At step t, counted from 0, the rate is ``lr * t / w`` with ``w = warmup_steps``, then lr, and
    from step d = ``decay_from`` on ``lr * max(floor, decay^(t - d))``.

    Args:
        optimizer: The optimizer.
        warmup_steps: The length of the warm-up.
        decay_from: The step from which the rate decays; None for never.
        decay: By what the rate is multiplied at every step then.
        floor: The smallest rate of the decay, relative to lr.

    Raises:
        ValueError: If ``warmup_steps`` is negative, or a factor is not from 0 to 1.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int,
        *,
        decay_from: int | None = None,
        decay: float = 1.0,
        floor: float = 0.0,
    ) -> None:
        if warmup_steps < 0:
            raise ValueError(f"warmup_steps must be at least 0, got {warmup_steps}")
        for name, value in (("decay", decay), ("floor", floor)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {value}")

        def factor(step: int) -> float:
            if step < warmup_steps:
                return step / warmup_steps
            if decay_from is None or step < decay_from:
                return 1.0
            return max(floor, float(decay ** (step - decay_from)))

        super().__init__(optimizer, factor)
