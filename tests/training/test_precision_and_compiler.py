"""Faster training changes no number that matters, on a GPU either, if there is one."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import glow
from glow.bijections import AffineCoupling, Memory, full_precision
from glow.data import Digits
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.nets import CouplingNet
from glow.training import ImageFlowModule, lightning_module
from glow.training.compilation import compile_steps, enough_graphs
from tests.devices import DEVICES
from tests.running import trainer_in
from tests.small_models import digits_model, perturb


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


def bits(model: glow.Glow, images: torch.Tensor) -> torch.Tensor:
    latents, log_det = model(images, noise=torch.full(images.shape, 0.5, device=images.device))
    return bits_per_dim(standard_normal_log_prob(latents) + log_det, model.image_shape)


def loss(model: glow.Glow, images: torch.Tensor) -> torch.Tensor:
    return bits(model, images).mean()


def gradients(model: glow.Glow, images: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss(model, images).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.slow
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
        with full_precision(images):  # on a GPU without TF32
            exact = bits(model, images)
        with torch.autocast(device, torch.bfloat16):
            lowered = bits(model, images)
            half = torch.full(images.shape, 0.5, device=device)
            unaffected = model.bits_per_dim(images, noise=half)
    assert exact.mean() < first - 0.2  # it has been trained
    assert not torch.equal(lowered, exact)
    assert lowered.mean().item() == pytest.approx(exact.mean().item(), abs=3e-3)
    torch.testing.assert_close(unaffected, exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("memory", ["recompute", "reverse"])
def test_gradients_do_not_depend_on_the_memory_policy(memory: Memory, device: str) -> None:
    images = digits(16).to(device)
    # On a GPU TF32 rounds what is recomputed as coarsely as what is kept, but not alike: 3e-3.
    with full_precision(images):
        retained = gradients(small_glow(n_steps=32).to(device), images)
        others = gradients(small_glow(memory, n_steps=32).to(device), images)
    assert distance(others, retained) < 1e-4


class CountingBackend:
    """A backend of ``torch.compile`` that runs graphs as they are, and counts them."""

    def __init__(self) -> None:
        self.graphs: list[torch.fx.GraphModule] = []

    def __call__(self, graph: torch.fx.GraphModule, inputs: Any) -> Any:
        self.graphs.append(graph)
        return graph.forward


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["keep", "recompute", "reverse"])
def test_steps_share_their_graphs(memory: Memory) -> None:
    """Two graphs for all steps: with a gradient of the input, and without."""
    images, model = digits(16), small_glow(memory)
    expected = gradients(model, images)
    torch.compiler.reset()
    backend = CountingBackend()
    compile_steps(model, backend=backend, fullgraph=True)
    assert distance(gradients(model, images), expected) < 1e-4
    assert len(backend.graphs) == 2


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("memory", ["keep", "recompute", "reverse"])
def test_compiled_steps_have_the_same_gradients(memory: Memory, device: str) -> None:
    images, model = digits(16).to(device), small_glow(memory).to(device)
    expected = gradients(model, images)
    torch.compiler.reset()
    compile_steps(model, backend="inductor" if device == "cuda" else "aot_eager", fullgraph=True)
    assert distance(gradients(model, images), expected) < 1e-4


def gradients_of_mixes(model: glow.Glow, images: torch.Tensor, *, lowered: bool) -> torch.Tensor:
    """Return the gradients of what is never lowered: the ActNorms and 1x1 convolutions."""
    model.zero_grad()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=lowered):
        value = loss(model, images)
    value.backward()
    mixes = [p for name, p in model.named_parameters() if ".mix." in name]
    return torch.cat([p.grad.flatten().double() for p in mixes if p.grad is not None])


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("memory", ["keep", "recompute", "reverse"])
def test_compiled_steps_lower_only_the_networks_in_the_backward_pass_too(
    memory: Memory, device: str
) -> None:
    """The loss would not show it: products of the state would be rounded for the gradients only."""
    images, model = digits(64).to(device), small_glow(memory).to(device)
    exact = gradients_of_mixes(small_glow(memory).double().to(device), images, lowered=False)
    eager = gradients_of_mixes(model, images, lowered=True)
    torch.compiler.reset()
    compile_steps(model, backend="inductor" if device == "cuda" else "aot_eager", fullgraph=True)
    compiled = gradients_of_mixes(model, images, lowered=True)
    assert distance(eager, exact) > 1e-4  # the networks are lowered
    assert distance(compiled, exact) < 1.05 * distance(eager, exact)


def test_training_compiles_and_evaluation_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.compiler.reset()
    backend = CountingBackend()
    monkeypatch.setattr(lightning_module, "compile_steps", partial(compile_steps, backend=backend))
    found: list[Any] = []
    for compiled in (False, True):
        backend.graphs.clear()
        module = ImageFlowModule(digits_model(), compiled=compiled)
        trainer = trainer_in(tmp_path, max_epochs=1, limit_train_batches=2)
        trainer.fit(module, Digits())
        found.append((len(backend.graphs), trainer.callback_metrics))
    (none, plain), (some, fast) = found
    assert (none, some) == (0, 2)  # one per level
    for name, value in plain.items():
        torch.testing.assert_close(fast[name], value, rtol=1e-5, atol=1e-5)


def test_a_deep_model_may_have_more_graphs_than_torch_allows_by_default() -> None:
    limit = torch.compiler.config.recompile_limit
    with torch.device("meta"):
        model = glow.Glow((3, 256, 256), n_levels=6, n_steps=1)
    with enough_graphs(model):
        assert torch.compiler.config.recompile_limit == 24
    assert torch.compiler.config.recompile_limit == limit
