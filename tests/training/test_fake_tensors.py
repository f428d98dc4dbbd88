"""A step on tensors without values: nothing looks at a value, which on a GPU would wait for it."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from glow import Glow
from glow.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    PlainLinear,
    ShufflePermutation,
)
from glow.training import ImageFlowModule, lightning_module
from glow.training.optim import ReferenceAdamax
from tests.small_models import net

SHAPE = (1, 8, 8)


def fake_module(mode: FakeTensorMode, optimizer: Any, **options: Any) -> ImageFlowModule:
    """Return a training module whose parameters have no values, and which logs into a list."""
    coupling = partial(options.pop("coupling", AffineCoupling), net=net)
    model = Glow(SHAPE, n_bits=5, n_levels=1, n_steps=1, coupling=coupling, **options)
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        memo[id(tensor)] = mode.from_tensor(tensor)
    module = ImageFlowModule(copy.deepcopy(model, memo), optimizer)
    module.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    return module


@pytest.mark.parametrize(
    ("lowered", "options"),
    [
        (False, {}),
        (True, {}),
        (True, {"memory": "recompute"}),
        (True, {"memory": "reverse"}),
        (False, {"permutation": PlainLinear}),
        (False, {"permutation": ShufflePermutation, "coupling": AdditiveCoupling}),
    ],
)
def test_a_training_step_looks_at_no_value(
    *, lowered: bool, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[Any] = []
    mode = FakeTensorMode()
    optimizer = partial(ReferenceAdamax, anchors_per_step=64)
    module = fake_module(mode, optimizer, **options)
    monkeypatch.setattr(module, "log_dict", logged.append)
    monkeypatch.setattr(module, "log", lambda *values: logged.append(values))
    updated = module.configure_optimizers()
    with mode:
        batch = torch.zeros(3, *SHAPE, dtype=torch.uint8), torch.zeros(3, dtype=torch.long)
        for step in range(2):
            updated.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=lowered):
                loss = module.training_step(batch, step)
            loss.backward()
            module.on_after_backward()
            updated.step()
    assert len(logged) == (4 if options.get("memory") == "reverse" else 2)
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_an_evaluation_step_looks_at_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apart from the noise, which depends on the images and is drawn on the CPU."""
    monkeypatch.setattr(lightning_module, "noise_per_image", lambda x, _: torch.rand(x.shape))
    mode = FakeTensorMode()
    module = fake_module(mode, torch.optim.Adamax)
    with mode, torch.no_grad():
        batch = torch.zeros(3, *SHAPE, dtype=torch.uint8), torch.zeros(3, dtype=torch.long)
        module.validation_step(batch, 0)
    [rows] = module.evaluated.value
    assert rows.shape == (3, len(module.columns))


def test_a_look_at_a_value_would_be_found() -> None:
    def losing(x: Tensor) -> bool:
        return bool(x.isfinite().all())

    with FakeTensorMode(), pytest.raises(DataDependentOutputException):
        losing(torch.zeros(3))
