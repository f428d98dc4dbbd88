"""Training a density over vectors: a plain loop.

There are no epochs, since every step draws new vectors, and no devices, validation or resumption,
since a run takes a minute.
"""

from collections.abc import Iterable

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from glow.models import Density
from glow.training.objective import Objective

MAX_GRAD_NORM = 50.0  # far above what is usual: it only stops a step that would end the training


def fit(
    density: Density,
    objective: Objective,
    optimizer: Optimizer,
    scheduler: LRScheduler | None,
    steps: Iterable[int],
    batch_size: int,
    generator: torch.Generator,
) -> list[float]:
    """Minimize an objective.

    Args:
        density: The density, which is trained in place.
        objective: What to minimize.
        optimizer: The optimizer of its parameters.
        scheduler: The schedule of the learning rate, which steps with the optimizer, or None.
        steps: The numbers of the steps, such as ``range(1000)``.
        batch_size: How many vectors a step sees.
        generator: The source of randomness.

    Returns:
        The loss of every step, in nats.

    Raises:
        FloatingPointError: If the loss is not finite.
    """
    losses = []
    for step in steps:
        loss = objective(density, batch_size, generator)
        losses.append(loss.item())
        if not loss.isfinite():
            raise FloatingPointError(
                f"the loss is {losses[-1]} at step {step}: try a lower optimizer.lr"
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(density.parameters(), MAX_GRAD_NORM)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return losses
