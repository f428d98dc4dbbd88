from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, WeightAveraging

import glow
from glow.data import Digits
from glow.training import ImageFlowModule
from glow.training.callbacks import LastCheckpoint, NonFiniteGuard
from tests.running import call, refusal, trainer_in
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
        callbacks=[NonFiniteGuard(tmp_path), spy, clipped],
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
        tmp_path, max_steps=5, callbacks=[Poison(), NonFiniteGuard(tmp_path)], limit_val_batches=0
    )
    with pytest.raises(
        FloatingPointError, match=r"step 2: .* first in the gradient of model\.flow\.splits\.0"
    ):
        trainer.fit(module, datamodule=Digits())
    assert all(value.isfinite().all() for value in module.model.state_dict().values())


class Poisoned(Callback):
    """Let the network of one coupling return a NaN at some steps, as rounding may.

    Args:
        first: The first step.
        n: The number of steps.
    """

    def __init__(self, first: int, n: int = 1) -> None:
        self.steps = range(first, first + n)
        self.before: dict[str, torch.Tensor] = {}

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step in self.steps:
            self.before = {k: v.clone() for k, v in pl_module.model.state_dict().items()}
            batch[0].fill_(255)

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        def poison(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
            return output * torch.nan if trainer.global_step in self.steps else output

        steps = pl_module.model.flow.levels[0].steps
        steps[0].coupling.net.register_forward_hook(poison)


def fit(folder: Path, guard: NonFiniteGuard, poisoned: Poisoned, **options: Any) -> ImageFlowModule:
    """Train for 8 steps with averaged weights; the last checkpoint is written every 3 steps."""
    module = ImageFlowModule(digits_model(), partial(torch.optim.Adamax, lr=0.01))
    last = LastCheckpoint(folder / "checkpoints", every_n_minutes=1e-9)
    callbacks = [poisoned, guard, WeightAveraging(use_buffers=False), last]
    trainer = trainer_in(folder, max_steps=8, limit_val_batches=0, callbacks=callbacks, **options)
    trainer.fit(module, datamodule=Digits(batch_size=16))
    return module


def test_a_lost_step_is_skipped(tmp_path: Path) -> None:
    poisoned = Poisoned(4)
    with pytest.warns(UserWarning, match=r"step 4: .*levels\.0\.steps\.0\.coupling.* is skipped"):
        module = fit(tmp_path, NonFiniteGuard(tmp_path, "skip"), poisoned)
    assert module.trainer.global_step == 8
    assert all(value.isfinite().all() for value in module.model.state_dict().values())


def test_a_lost_step_rolls_back_to_the_last_checkpoint_with_a_lower_rate(tmp_path: Path) -> None:
    found: list[dict[str, torch.Tensor]] = []
    rates: list[float] = []

    class Witness(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])
            found.append({k: v.clone() for k, v in pl_module.state_dict().items()})

    guard = NonFiniteGuard(tmp_path, "roll_back", rate_factor=0.25)
    schedule = partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda _: 1.0)
    module = ImageFlowModule(digits_model(), partial(torch.optim.Adamax, lr=0.01), schedule)
    last = LastCheckpoint(tmp_path, every_n_minutes=1e-9)
    averages = WeightAveraging(use_buffers=False)
    # The rollback must find an earlier state than that of the step before.
    frozen = tmp_path / "frozen.ckpt"

    class Freeze(Callback):
        def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
            if trainer.global_step == 3:
                trainer.save_checkpoint(frozen)
                last.path = frozen
                last.every_n_minutes = None

    callbacks = [Poisoned(5), guard, averages, Witness(), Freeze(), last]
    trainer = trainer_in(tmp_path, max_steps=7, limit_val_batches=0, callbacks=callbacks)
    with pytest.warns(UserWarning, match=r"those of step 3 again, the rate is 0\.0025"):
        trainer.fit(module, datamodule=Digits(batch_size=16))
    for name, value in found[2].items():
        assert torch.equal(found[5][name], value), name  # after the lost step
    assert any(not torch.equal(found[4][name], value) for name, value in found[2].items())
    assert rates == [0.01] * 5 + [0.0025] * 2


@pytest.mark.parametrize("policy", ["skip", "roll_back"])
def test_it_gives_up_after_some_steps_in_a_row(policy: Any, tmp_path: Path) -> None:
    guard = NonFiniteGuard(tmp_path, policy, patience=2)
    with (
        pytest.warns(UserWarning, match="not finite"),
        pytest.raises(FloatingPointError, match="2 times in a row"),
    ):
        fit(tmp_path, guard, Poisoned(3, n=3))


def test_a_rollback_without_a_checkpoint_raises(tmp_path: Path) -> None:
    module = ImageFlowModule(digits_model())
    callbacks = [Poisoned(0), NonFiniteGuard(tmp_path, "roll_back")]
    trainer = trainer_in(tmp_path, max_steps=2, limit_val_batches=0, callbacks=callbacks)
    with pytest.raises(FloatingPointError, match="no checkpoint to roll back to"):
        trainer.fit(module, datamodule=Digits(batch_size=16))


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_batches_of_a_lost_step_are_kept_and_replayed(
    accumulated: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    poisoned = Poisoned(3)
    guard = NonFiniteGuard(tmp_path)
    with pytest.raises(FloatingPointError, match=r"step_3_rank_0\.pt"):
        fit(tmp_path, guard, poisoned, accumulate_grad_batches=accumulated)
    path = tmp_path / "step_3_rank_0.pt"
    content = torch.load(path, weights_only=True)
    assert [len(batch["images"]) for batch in content["batches"]] == [16] * accumulated
    assert all((batch["images"] == 255).all() for batch in content["batches"])
    for name, value in glow.load(path).state_dict().items():
        assert torch.equal(value, poisoned.before[name]), name
    # The weights themselves are to blame here, so that the replay finds it again.
    content["state_dict"]["model.flow.levels.0.steps.0.mix.actnorm.bias"].fill_(torch.nan)
    torch.save(content, path)
    call(monkeypatch, "replay", f"batch={path}")
    printed = capsys.readouterr().out
    assert f"step 3, batch {accumulated} of {accumulated}" in printed
    assert "first output that is not finite: flow.levels.0.steps.0.mix" in printed
    assert "images without finite bits/dim: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 6 more" in printed


def test_a_model_without_batches_is_not_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = digits_model()
    glow.save(model, tmp_path / "model.pt")
    message = refusal(monkeypatch, "replay", f"batch={tmp_path / 'model.pt'}")
    assert "holds a model, but no batches" in message


@pytest.mark.parametrize("wrong", [{"policy": "ignore"}, {"patience": 0}, {"rate_factor": 0.0}])
def test_wrong_arguments_raise(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NonFiniteGuard(tmp_path, **wrong)
