import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback

from glow.bijections import Memory, ReversibleChain
from glow.data import Digits, ImageDataset
from glow.models import ClassConditionalPrior
from glow.noise import noise_per_image, noise_per_step
from glow.training import ImageFlowModule
from tests.running import trainer_in
from tests.small_models import digits_model
from tests.spies import MetricsSpy


def test_the_loss_is_the_mean_of_bits_per_dim_and_its_parts_add_up(tmp_path: Path) -> None:
    module, spy = ImageFlowModule(digits_model(), partial(torch.optim.SGD, lr=0.0)), MetricsSpy()
    trainer_in(tmp_path, max_steps=2, callbacks=[spy], limit_val_batches=0).fit(
        module, datamodule=Digits()
    )
    for step in spy.steps:
        total = step["train/latent_bits"] + step["train/log_det_bits"]
        assert step["train/bits_per_dim"] == pytest.approx(total, abs=1e-5)
    # The first batch again, by hand, with the noise of its key.
    data = Digits()
    data.setup("fit")
    images, labels = next(iter(data.train_dataloader()))
    noise = noise_per_step(images, torch.initial_seed(), 0, 0)
    bits = module.model.bits_per_dim(images, labels, noise=noise)
    assert spy.steps[0]["train/bits_per_dim"] == pytest.approx(bits.mean().item(), abs=1e-5)


@pytest.mark.parametrize("memory", ["keep", "reverse"])
def test_the_drift_is_logged_if_there_is_one(memory: Memory, tmp_path: Path) -> None:
    module, spy = ImageFlowModule(digits_model(memory=memory)), MetricsSpy()
    trainer_in(tmp_path, max_steps=1, callbacks=[spy], limit_val_batches=0).fit(module, Digits())
    [step] = spy.steps
    if memory == "keep":
        assert "train/drift" not in step
        return
    chains = [m for m in module.modules() if isinstance(m, ReversibleChain)]
    drifts = [float(c.drift) for c in chains if c.drift is not None]
    assert len(drifts) == 2
    assert step["train/drift"] == max(drifts)
    assert 0 < min(drifts) < 1e-4


def test_a_classifier_joins_the_loss(tmp_path: Path) -> None:
    top = partial(ClassConditionalPrior, n_classes=10, classification_weight=0.5)
    module = ImageFlowModule(digits_model(top=top), partial(torch.optim.SGD, lr=0.0))
    losses: list[float] = []

    class Losses(Callback):
        def on_train_batch_end(
            self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *args: Any
        ) -> None:
            losses.append(float(outputs["loss"]))

    spy = MetricsSpy()
    trainer_in(tmp_path, max_steps=1, callbacks=[spy, Losses()], limit_val_batches=0).fit(
        module, datamodule=Digits()
    )
    # An untrained classifier of ten classes is near log2(10) bits off, of which half counts.
    extra = losses[0] - spy.steps[0]["train/bits_per_dim"]
    assert extra == pytest.approx(0.5 * math.log2(10), rel=0.1)


def test_the_schedule_advances_once_per_step(tmp_path: Path) -> None:
    module = ImageFlowModule(
        digits_model(),
        partial(torch.optim.Adamax, lr=0.01),
        partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=14),
    )
    trainer = trainer_in(tmp_path, max_epochs=2, accumulate_grad_batches=3, limit_val_batches=0)
    trainer.fit(module, datamodule=Digits())
    assert trainer.global_step == 14  # 2 epochs of ceil(20 / 3)
    [schedule] = trainer.lr_scheduler_configs
    assert schedule.interval == "step"
    assert schedule.scheduler.last_epoch == 14


def test_warm_up_rises_every_step(tmp_path: Path) -> None:
    rates: list[float] = []

    class Rates(Callback):
        def on_before_optimizer_step(self, trainer: Trainer, *args: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    warmup = partial(torch.optim.lr_scheduler.LinearLR, start_factor=1e-8, total_iters=4)
    module = ImageFlowModule(digits_model(), partial(torch.optim.Adamax, lr=0.004), warmup)
    trainer_in(tmp_path, max_steps=6, callbacks=[Rates()], limit_val_batches=0).fit(
        module, datamodule=Digits()
    )
    assert rates == pytest.approx([0.0, 0.001, 0.002, 0.003, 0.004, 0.004], abs=1e-9)


def test_testing_reports_every_image(tmp_path: Path) -> None:
    module, data = ImageFlowModule(digits_model()), Digits(eval_batch_size=128)
    [result] = trainer_in(tmp_path).test(module, datamodule=data, verbose=False)
    values = []
    for images, labels in data.test_dataloader():
        bits = module.model.bits_per_dim(images, labels, noise=noise_per_image(images))
        values.append(bits.detach())
    bits = torch.cat(values)
    assert result["test/images"] == len(bits) == 300
    assert result["test/bits_per_dim"] == pytest.approx(bits.mean().item(), abs=1e-5)
    error = bits.std().item() / math.sqrt(300)
    assert result["test/standard_error"] == pytest.approx(error, rel=1e-4)
    assert result["test/maximum"] == pytest.approx(bits.max().item(), abs=1e-5)
    [again] = trainer_in(tmp_path).test(module, datamodule=data, verbose=False)
    assert again == result


def test_a_single_image_has_no_standard_error(tmp_path: Path) -> None:
    data = Digits()
    data.setup()
    data.datasets["test"] = ImageDataset(*data.dataset("test").__getitems__([0]))
    [result] = trainer_in(tmp_path).test(ImageFlowModule(digits_model()), data, verbose=False)
    assert result["test/images"] == 1
    assert "test/standard_error" not in result


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_image_without_a_likelihood_is_never_dropped(
    value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing_one(**options: Any) -> ImageFlowModule:
        module = ImageFlowModule(digits_model(), **options)
        honest = module._row

        def with_one_lost(*args: Any) -> Any:
            rows = honest(*args)
            rows[3] = value
            return rows

        monkeypatch.setattr(module, "_row", with_one_lost)
        return module

    with pytest.raises(FloatingPointError, match="1 of 300 test images have no finite likelihood"):
        trainer_in(tmp_path).test(losing_one(), datamodule=Digits(), verbose=False)
    allowed = losing_one(allow_non_finite=True)
    [result] = trainer_in(tmp_path).test(allowed, datamodule=Digits(), verbose=False)
    assert result["test/non_finite"] == 1
    assert result["test/images"] == 300
    assert not math.isfinite(result["test/bits_per_dim"])
    bits = allowed.per_image["bits_per_dim"]
    expected = bits[bits.isfinite()].mean().item()
    assert result["test/finite_bits_per_dim"] == pytest.approx(expected)


def test_levels_and_dequantization_add_up_to_bits_per_dim(tmp_path: Path) -> None:
    module = ImageFlowModule(digits_model())
    [result] = trainer_in(tmp_path).test(module, datamodule=Digits(), verbose=False)
    parts = ("dequantization_bits", "level_1_bits", "level_2_bits")
    assert result["test/dequantization_bits"] == pytest.approx(5.0)  # of 5 bits, nothing is known
    assert sum(result[f"test/{part}"] for part in parts) == pytest.approx(
        result["test/bits_per_dim"], abs=1e-5
    )
    together = sum(module.per_image[part] for part in parts)
    torch.testing.assert_close(together, module.per_image["bits_per_dim"], rtol=0, atol=1e-5)


def test_more_samples_of_noise_give_a_tighter_bound(tmp_path: Path) -> None:
    model, data = digits_model(), Digits()
    module = ImageFlowModule(model, noise_samples=3)
    [result] = trainer_in(tmp_path).test(module, datamodule=data, verbose=False)
    images, _ = data.dataset("test")[:300]
    draws = [model.log_prob(images, noise=noise_per_image(images, k)) for k in range(3)]
    nats = torch.stack(draws).double()
    per_dim = 64 * math.log(2)
    mean, tighter = -nats.mean(0) / per_dim, -nats.exp().mean(0).log() / per_dim
    close = partial(torch.testing.assert_close, rtol=0, atol=1e-5)
    close(module.per_image["bits_per_dim"], mean)
    close(module.per_image["tighter_bits_per_dim"], tighter)
    assert result["test/tighter_bits_per_dim"] < result["test/bits_per_dim"]
    with pytest.raises(ValueError, match="noise_samples must be at least 1, got 0"):
        ImageFlowModule(model, noise_samples=0)


def test_lower_precision_stays_within_training(tmp_path: Path) -> None:
    # Weights that do not move: the losses of training differ, those of validation must not.
    def fit(precision: str) -> tuple[float, float]:
        module, spy = (
            ImageFlowModule(digits_model(), partial(torch.optim.SGD, lr=0.0)),
            MetricsSpy(),
        )
        trainer = trainer_in(tmp_path, max_epochs=1, callbacks=[spy], precision=precision)
        trainer.fit(module, datamodule=Digits())
        return spy.steps[0]["train/bits_per_dim"], float(
            trainer.callback_metrics["val/bits_per_dim"]
        )

    train, val = fit("32-true")
    lower_train, lower_val = fit("bf16-mixed")
    assert lower_train != train
    assert lower_train == pytest.approx(train, abs=0.01)
    assert lower_val == val
