import math
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pytorch_lightning import LightningModule, Trainer

from glow.data import Batch, Digits, ImageDataset, TrainingOrder, TrainingPlan
from glow.data.training_plan import plan_training
from tests.data.numbered import Numbered, numbered
from tests.data.trainers import stub_trainer


class Counting(LightningModule):
    """A module without a task, which counts the images of every step."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.images_of_step: dict[int, int] = {}
        self.steps_after_epoch: list[int] = []
        self.plan: TrainingPlan | None = None

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        step = self.trainer.global_step
        self.images_of_step[step] = self.images_of_step.get(step, 0) + len(batch[0])
        return self.weight**2

    def on_train_epoch_end(self) -> None:
        self.steps_after_epoch.append(self.trainer.global_step)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.plan = self.trainer.datamodule.training_plan(self.trainer)  # type: ignore[attr-defined]
        return torch.optim.SGD(self.parameters(), lr=0.1)


def quiet_trainer(**options: Any) -> Trainer:
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


@pytest.mark.parametrize(
    ("options", "steps_per_epoch", "total_steps"),
    [
        ({"max_epochs": 3}, 6, 18),
        ({"max_epochs": 2, "accumulate_grad_batches": 4}, 2, 4),  # 4 batches, then 2
        ({"max_epochs": 2, "limit_train_batches": 5, "accumulate_grad_batches": 3}, 2, 4),
        ({"max_epochs": 2, "limit_train_batches": 100}, 6, 12),
        ({"max_epochs": 2, "limit_train_batches": 1}, 1, 2),
        ({"max_epochs": 2, "limit_train_batches": 0.45}, 2, 4),  # 0.45 * 6 = 2.7 batches
        ({"max_epochs": 0}, 6, 0),
        ({"max_steps": 8}, 6, 8),
        ({"max_steps": 4, "accumulate_grad_batches": 4}, 2, 4),
        ({"max_epochs": 1, "max_steps": 8}, 6, 6),
        ({"max_epochs": -1, "max_steps": 7}, 6, 7),
        ({"fast_dev_run": 2}, 2, 2),
    ],
)
def test_a_run_takes_the_planned_steps(
    options: dict[str, Any], steps_per_epoch: int, total_steps: int
) -> None:
    data, module, trainer = numbered(), Counting(), quiet_trainer(**options)
    plan = data.training_plan(trainer)
    assert (plan.steps_per_epoch, plan.total_steps) == (steps_per_epoch, total_steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about workers and intervals of logging
        trainer.fit(module, datamodule=data)
    assert trainer.global_step == total_steps
    assert module.plan == plan  # the same while training
    if total_steps:
        assert module.images_of_step[0] == plan.images_per_step
        assert module.steps_after_epoch[0] == min(plan.steps_per_epoch, total_steps)


def test_the_plan_of_the_digits_agrees_with_lightning() -> None:
    data, trainer = Digits(batch_size=100), quiet_trainer(max_epochs=2, accumulate_grad_batches=5)
    module = Counting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, datamodule=data)
    assert module.plan == TrainingPlan(images_per_step=500, steps_per_epoch=3, total_steps=6)
    assert trainer.global_step == 6


@pytest.mark.parametrize(
    ("options", "total_steps"),
    [
        ({"max_epochs": -1}, math.inf),
        ({}, 1000 * 6),  # Lightning's default
        ({"max_time": "00:00:10:00"}, math.inf),
        ({"max_epochs": 2, "max_time": "00:00:10:00"}, 12),
    ],
)
def test_a_run_without_limits_has_the_default_ones_of_lightning(
    options: dict[str, Any], total_steps: float
) -> None:
    assert numbered().training_plan(quiet_trainer(**options)).total_steps == total_steps


@given(
    n_images=st.integers(1, 300),
    batch_size=st.integers(1, 20),
    world_size=st.integers(1, 5),
    accumulated=st.integers(1, 7),
    limit=st.one_of(st.just(1.0), st.integers(1, 40)),
)
def test_processes_share_the_images_and_accumulated_batches_share_a_step(
    *, n_images: int, batch_size: int, world_size: int, accumulated: int, limit: float
) -> None:
    images = ImageDataset(torch.zeros(n_images, 1, 1, 1, dtype=torch.uint8), torch.zeros(n_images))
    order = TrainingOrder(images, batch_size, 0, stub_trainer(world_size=world_size))
    batches = len(list(order)) // batch_size
    assume(batches)
    if isinstance(limit, int):
        batches = min(batches, limit)
    trainer: Any = SimpleNamespace(
        world_size=world_size,
        accumulate_grad_batches=accumulated,
        limit_train_batches=limit,
        max_epochs=3,
        max_steps=-1,
    )
    plan = plan_training(n_images, batch_size, trainer)
    steps = sum(1 for i in range(1, batches + 1) if i % accumulated == 0 or i == batches)
    assert plan == TrainingPlan(batch_size * world_size * accumulated, steps, 3 * steps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"limit_train_batches": 0},
            r"trainer\.limit_train_batches=0 leaves none of the 6 batches",
        ),
        ({"limit_train_batches": 0.1}, r"trainer\.limit_train_batches=0\.1 leaves none of the 6"),
        ({"limit_train_batches": 0, "max_epochs": -1}, "an epoch has no steps"),
        ({"limit_train_batches": 0, "max_steps": 9}, "an epoch has no steps"),
        ({"overfit_batches": 0.1}, r"limit_train_batches=0\.1 leaves none of the 6 batches"),
    ],
)
def test_a_limit_that_leaves_no_steps_raises(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        numbered().training_plan(quiet_trainer(**{"max_epochs": 2, **options}))


@pytest.mark.parametrize(
    ("n_images", "batch_size", "world_size", "raises"),
    [
        (1297, 1000, 1, False),
        (1297, 1000, 2, True),
        (100, 50, 2, False),
        (100, 51, 2, True),
        (3, 1, 4, True),
    ],
)
def test_a_batch_that_does_not_fit_into_the_share_of_a_process_raises(
    n_images: int, batch_size: int, world_size: int, *, raises: bool
) -> None:
    trainer: Any = SimpleNamespace(
        world_size=world_size,
        accumulate_grad_batches=1,
        limit_train_batches=1.0,
        max_epochs=3,
        max_steps=-1,
    )
    if raises:
        message = (
            rf"an epoch has no steps: data\.batch_size={batch_size} in {world_size} processes? "
            rf"needs {batch_size * world_size} training images, got {n_images}"
        )
        with pytest.raises(ValueError, match=message):
            plan_training(n_images, batch_size, trainer)
    else:
        assert plan_training(n_images, batch_size, trainer).steps_per_epoch == 1


def test_accumulating_more_batches_than_an_epoch_has_is_one_step() -> None:
    trainer = quiet_trainer(max_epochs=2, accumulate_grad_batches=100)
    assert numbered().training_plan(trainer) == TrainingPlan(800, 1, 2)


def test_a_plan_before_setup_raises() -> None:
    with pytest.raises(RuntimeError, match="Numbered has not read its images: call setup first"):
        Numbered(image_shape=(1, 4, 4)).training_plan(quiet_trainer(max_epochs=1))
