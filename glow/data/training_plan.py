"""How much data a training run sees, for optimizers and schedules that depend on it."""

import math
from dataclasses import dataclass

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Timer

DEFAULT_MAX_EPOCHS = 1000  # Lightning's, for a trainer without any limit


@dataclass(frozen=True)
class TrainingPlan:
    """How much data a training run sees, and in how many steps.

    A step is one update of the parameters. The plan does not know of callbacks that change the
    trainer while it trains, or stop it early.

    Args:
        images_per_step: The number of images of one step, in all processes and all batches whose
            gradients are accumulated. The last step of an epoch may have fewer.
        steps_per_epoch: The number of steps of one epoch.
        total_steps: The number of steps of the run; ``math.inf`` if it has no end.
    """

    images_per_step: int
    steps_per_epoch: int
    total_steps: float


def plan_training(n_images: int, batch_size: int, trainer: Trainer) -> TrainingPlan:
    """Compute what ``trainer`` will do, without a data loader.

    Args:
        n_images: The number of training images.
        batch_size: The number of images per batch and process.
        trainer: The trainer, before or while it trains.

    Raises:
        ValueError: If an epoch has no steps.
    """
    n_processes = trainer.world_size
    whole = n_images // n_processes // batch_size
    if not whole:
        raise ValueError(
            f"an epoch has no steps: data.batch_size={batch_size} in {n_processes} "
            f"process{'es' if n_processes > 1 else ''} needs {batch_size * n_processes} training "
            f"images, got {n_images}"
        )
    limit = trainer.limit_train_batches
    batches = min(whole, limit) if isinstance(limit, int) else int(whole * limit)
    if not batches:
        raise ValueError(
            f"an epoch has no steps: trainer.limit_train_batches={limit} leaves none of the "
            f"{whole} batches"
        )
    steps_per_epoch = math.ceil(batches / trainer.accumulate_grad_batches)
    limits = [math.inf]
    if trainer.max_steps != -1:
        limits.append(trainer.max_steps)
    max_epochs = _max_epochs(trainer)
    if max_epochs != -1:
        limits.append(max_epochs * steps_per_epoch)
    return TrainingPlan(
        images_per_step=batch_size * n_processes * trainer.accumulate_grad_batches,
        steps_per_epoch=steps_per_epoch,
        total_steps=min(limits),
    )


def _max_epochs(trainer: Trainer) -> int:
    """Return the limit that Lightning sets when training starts; -1 if there is none."""
    if trainer.max_epochs is not None:
        return trainer.max_epochs
    # Lightning replaces None by 1000 epochs, unless steps or time (a Timer) are limited.
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    if trainer.max_steps == -1 and not any(isinstance(c, Timer) for c in callbacks):
        return DEFAULT_MAX_EPOCHS
    return -1
