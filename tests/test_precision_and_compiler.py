"""What makes training fast changes no number that matters; on a GPU, too, where there is one."""

from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

import glow
from glow.data import Digits
from glow.flow import MultiScaleFlow
from glow.layers import AffineCoupling, CouplingNet, Memory
from glow.lightning_module import GlowModule
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from tests.bijections import perturb
from tests.test_lightning_module import digits_model, trainer_in

NO_GPU = not torch.cuda.is_available()
GPU = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(NO_GPU, reason="no GPU")])
DEVICES = ("cpu", GPU)


def digits(n: int) -> torch.Tensor:
    data = Digits()
    data.setup()
    return data.dataset("train").images[:n]


def small_glow(memory: Memory = "keep", n_steps: int = 3) -> glow.Glow:
    torch.manual_seed(0)
    coupling = partial(AffineCoupling, net=partial(CouplingNet, width=32))
    model = glow.Glow((1, 8, 8), 5, 1, n_steps, coupling=coupling, memory=memory)
    model.initialize(digits(256))
    return perturb(model, 0.02)


def loss(model: glow.Glow, images: torch.Tensor) -> torch.Tensor:
    latents, log_det = model(images, noise=torch.full(images.shape, 0.5, device=images.device))
    return bits_per_dim(standard_normal_log_prob(latents) + log_det, model.image_shape).mean()


def gradients(model: glow.Glow, images: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss(model, images).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize("device", DEVICES)
def test_bfloat16_networks_cost_little_on_trained_weights(device: str) -> None:
    model, images = small_glow(n_steps=8).to(device), digits(1200).to(device)
    optimizer = torch.optim.Adamax(model.parameters(), lr=5e-3)
    first = loss(model, images).item()
    for _ in range(30):
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16):
            loss(model, images[torch.randint(1200, (64,))]).backward()
        optimizer.step()
    with torch.no_grad():
        exact = loss(model, images).item()
        with torch.autocast(device, torch.bfloat16):
            lowered = loss(model, images).item()
            half = torch.full(images.shape, 0.5, device=device)
            unaffected = model.bits_per_dim(images, noise=half).mean().item()
    assert exact < first - 0.2  # it has been trained
    assert lowered != exact
    assert lowered == pytest.approx(exact, abs=3e-3)
    assert unaffected == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("memory", ["checkpoint", "reverse"])
def test_gradients_do_not_depend_on_what_is_kept(memory: Memory, device: str) -> None:
    images = digits(16).to(device)
    kept = gradients(small_glow(n_steps=32).to(device), images)
    assert distance(gradients(small_glow(memory, n_steps=32).to(device), images), kept) < 1e-4


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("memory", "n_graphs"), [("keep", 2), ("checkpoint", 2), ("reverse", 2)])
def test_compiled_steps_are_shared_and_change_nothing(
    memory: Memory, n_graphs: int, device: str
) -> None:
    """Two graphs each: what comes first has no gradient; networks run with one and without."""
    images = digits(16).to(device)
    model = small_glow(memory).to(device)
    expected = gradients(model, images)
    torch._dynamo.reset()
    counters.clear()
    model.flow.compile_steps(backend="inductor" if device == "cuda" else "aot_eager")
    assert distance(gradients(model, images), expected) < 1e-4
    assert counters["stats"]["unique_graphs"] == n_graphs
    assert not counters["graph_break"]


def test_training_compiles_and_evaluation_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        MultiScaleFlow,
        "compile_steps",
        partialmethod(MultiScaleFlow.compile_steps, backend="eager"),
    )
    torch._dynamo.reset()
    found: list[Any] = []
    for compiled in (False, True):
        counters.clear()
        module = GlowModule(digits_model(), compiled=compiled)
        trainer = trainer_in(tmp_path, max_epochs=1, limit_train_batches=2)
        trainer.fit(module, Digits())
        found.append((counters["stats"]["unique_graphs"], trainer.callback_metrics))
    (none, plain), (some, fast) = found
    assert (none, some) == (0, 2)  # one a level
    for name, value in plain.items():
        torch.testing.assert_close(fast[name], value, rtol=1e-5, atol=1e-5)
