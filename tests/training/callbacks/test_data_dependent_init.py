from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, WeightAveraging
from torch.utils.data import DataLoader, TensorDataset

import glow
from glow.bijections import ShufflePermutation
from glow.data import Digits
from glow.training import ImageFlowModule
from glow.training.callbacks import DataDependentInit
from glow.training.optim import warm_ema_
from tests.running import trainer_in
from tests.small_models import affine


def new_model() -> glow.Glow:
    torch.manual_seed(0)
    return glow.Glow((1, 8, 8), 5, 2, 1, permutation=ShufflePermutation, coupling=affine)


class AtStart(Callback):
    """Keep the weights with which training starts."""

    state: dict[str, torch.Tensor]

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.state = {k: v.clone() for k, v in pl_module.model.state_dict().items()}


def fit(folder: Path, *callbacks: Callback, **options: Any) -> ImageFlowModule:
    module = ImageFlowModule(new_model(), partial(torch.optim.Adamax, lr=0.1))
    trainer_in(folder, callbacks=list(callbacks), **options).fit(module, datamodule=Digits())
    return module


def test_training_starts_from_an_initialization_on_256_images(tmp_path: Path) -> None:
    at_start = AtStart()
    torch.manual_seed(7)
    fit(tmp_path, DataDependentInit(), at_start, max_steps=1, limit_val_batches=0)
    assert all(v for k, v in at_start.state.items() if k.endswith("initialized"))
    first = at_start.state["flow.levels.0.steps.0.mix.actnorm.bias"]
    data = Digits()
    data.setup("fit")
    images, _ = data.initialization_batch(256)
    assert len(images) == 256
    model = new_model()
    model.initialize(images)
    expected = model.state_dict()["flow.levels.0.steps.0.mix.actnorm.bias"]
    torch.testing.assert_close(first, expected, rtol=0, atol=1e-3)  # the noise is another


def test_the_average_starts_after_it_and_leaves_buffers_alone(tmp_path: Path) -> None:
    average = WeightAveraging(use_buffers=False, multi_avg_fn=partial(warm_ema_, decay=0.5))
    at_start = AtStart()
    module = fit(tmp_path, DataDependentInit(), average, at_start, max_epochs=2)
    for name, value in module.model.state_dict().items():
        if not value.is_floating_point():
            assert torch.equal(value, at_start.state[name]), name
    assert module.model.bits_per_dim(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)).isfinite().all()


def test_other_data_raises(tmp_path: Path) -> None:
    images = TensorDataset(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4).long())
    trainer = trainer_in(tmp_path, callbacks=[DataDependentInit()], max_steps=1)
    with pytest.raises(TypeError, match="got ImageFlowModule and NoneType"):
        trainer.fit(ImageFlowModule(new_model()), DataLoader(images))
