from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback

from glow.data import Digits
from glow.training import ImageFlowModule
from glow.training.callbacks import GradientNorm
from tests.running import trainer_in
from tests.small_models import digits_model
from tests.spies import MetricsSpy


class Clipped(Callback):
    """Keep the norm of the gradient with which the optimizer steps."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_before_zero_grad(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        if gradients:
            self.norms.append(float(torch.nn.utils.get_total_norm(gradients)))


def test_the_norm_is_logged_before_clipping(tmp_path: Path) -> None:
    spy, clipped = MetricsSpy(), Clipped()
    module = ImageFlowModule(digits_model(), partial(torch.optim.SGD, lr=1e-6))
    trainer = trainer_in(
        tmp_path,
        max_steps=3,
        callbacks=[GradientNorm(), spy, clipped],
        gradient_clip_val=0.5,
        limit_val_batches=0,
    )
    trainer.fit(module, datamodule=Digits())
    assert all(step["train/grad_norm"] > 0.5 for step in spy.steps)
    assert clipped.norms == pytest.approx([0.5] * len(clipped.norms), rel=1e-4)
    assert clipped.norms


def test_a_lost_gradient_stops_before_it_reaches_the_weights(tmp_path: Path) -> None:
    module = ImageFlowModule(digits_model(), partial(torch.optim.SGD, lr=0.1))

    class Poison(Callback):
        def on_after_backward(self, trainer: Trainer, pl_module: Any) -> None:
            if trainer.global_step == 2:
                pl_module.model.flow.splits[0].net.log_scale.grad.fill_(torch.nan)

    trainer = trainer_in(
        tmp_path, max_steps=5, callbacks=[Poison(), GradientNorm()], limit_val_batches=0
    )
    with pytest.raises(FloatingPointError, match=r"step 2: .* first in model\.flow\.splits\.0"):
        trainer.fit(module, datamodule=Digits())
    assert all(value.isfinite().all() for value in module.model.state_dict().values())
