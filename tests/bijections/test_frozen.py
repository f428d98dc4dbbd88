import copy
from collections import OrderedDict
from functools import partial

import pytest
import torch

import glow
from glow.bijections import (
    ActNorm,
    ActNormLinear,
    AdditiveCoupling,
    Chain,
    LULinear,
    PlainLinear,
    ReversePermutation,
    freeze,
)
from glow.models import BijectionFactory, ClassConditionalPrior, MultiScaleFlow
from glow.nets import CouplingNet
from tests.small_models import affine, net, perturb


@pytest.mark.parametrize("permutation", [LULinear, PlainLinear, ReversePermutation])
@pytest.mark.parametrize(
    "coupling",
    [affine, partial(AdditiveCoupling, net=net), partial(affine, net=partial(net, n_classes=2))],
)
def test_a_frozen_model_agrees_with_the_original(
    permutation: BijectionFactory, coupling: BijectionFactory
) -> None:
    top = partial(ClassConditionalPrior, n_classes=2)
    model = glow.Glow(
        (3, 8, 8), n_levels=2, n_steps=2, permutation=permutation, coupling=coupling, top=top
    )
    images = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8)
    labels, noise = torch.arange(6) % 2, torch.rand(images.shape)
    model.initialize(images, labels)
    perturb(model, 0.03)
    frozen = model.frozen()
    assert not frozen.training
    assert not any(p.requires_grad for p in frozen.parameters())
    assert not any(isinstance(m, ActNorm) for m in frozen.modules())
    bits = frozen.bits_per_dim(images, labels, noise=noise)
    torch.testing.assert_close(bits, model.bits_per_dim(images, labels, noise=noise).detach())
    latents = model.encode(images, labels)
    assert torch.equal(frozen.decode(latents, labels), images)
    torch.testing.assert_close(
        frozen.encode(images, labels).flatten(), latents.flatten(), rtol=1e-4, atol=1e-4
    )


def test_a_frozen_model_computes_nothing_from_its_parameters_alone(
    model: glow.Glow, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents = model.sample_latents(3)
    frozen = model.frozen()
    expected = frozen.decode(latents)
    for name in ("inv_ex", "slogdet"):
        monkeypatch.setattr(torch.linalg, name, lambda *_, **__: pytest.fail("computed again"))
    assert torch.equal(frozen.decode(latents), expected)


def test_the_original_does_not_change_and_is_not_followed(
    model: glow.Glow, images: torch.Tensor
) -> None:
    before = copy.deepcopy(model.state_dict())
    frozen = model.frozen()
    expected = frozen.encode(images).flatten()
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    perturb(model)
    assert torch.equal(frozen.encode(images).flatten(), expected)
    assert not torch.equal(model.encode(images).flatten(), expected)


def test_a_frozen_model_cannot_be_saved(model: glow.Glow) -> None:
    with pytest.raises(ValueError, match="cannot be saved: it is frozen, or was built from parts"):
        glow.save(model.frozen(), "nowhere.pt")


@pytest.mark.slow
def test_decoding_works_before_and_after_an_export(model: glow.Glow, images: torch.Tensor) -> None:
    """Tracing must leave nothing behind in the modules."""
    latents = model.encode(images)
    assert torch.equal(model.decode(latents), images)

    class Decoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flow = model.flow

        def forward(self, *levels: torch.Tensor) -> torch.Tensor:
            return self.flow.inverse(levels)

    with torch.no_grad():
        exported = torch.export.export(Decoder(), tuple(latents))
        x = exported.module()(*latents)
    assert torch.equal(model.dequantizer.inverse(x), images)
    assert torch.equal(model.decode(latents), images)
    assert torch.equal(model.frozen().decode(latents), images)


def test_a_part_that_is_used_twice_is_frozen_twice() -> None:
    part = perturb(LULinear(3))
    x = torch.randn(4, 3)
    for module in (Chain(part, part), Chain(OrderedDict(a=Chain(part), b=part))):
        frozen = freeze(module)
        assert not list(frozen.parameters())
        torch.testing.assert_close(frozen(x)[0], module(x)[0].detach())


def test_a_part_can_be_frozen_alone() -> None:
    x = torch.randn(2, 4, 6, 6)
    linear = perturb(ActNormLinear(ActNorm(4), LULinear(4)))
    for part in (linear, perturb(CouplingNet(4, 8, width=5))):
        frozen = freeze(part)
        assert not any(isinstance(m, ActNorm) for m in frozen.modules())
        torch.testing.assert_close(frozen(x), part(x), rtol=1e-4, atol=1e-4)


def test_a_network_may_fold_an_actnorm_that_is_frozen() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.actnorm = perturb(ActNorm(4))
            self.frozen = True  # a name that means nothing here

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scale, shift = self.actnorm.scale_and_shift()
            return x * scale + shift

    net, x = Net(), torch.randn(3, 4)
    frozen = freeze(net)
    torch.testing.assert_close(frozen(x), net(x).detach())


@pytest.mark.slow
def test_a_model_with_classes_can_be_exported(by_class: glow.Glow) -> None:
    for model in (by_class, by_class.frozen()):
        labels = torch.tensor([0, 1])
        latents = model.sample_latents(2)

        class Decoder(torch.nn.Module):
            def __init__(self, flow: MultiScaleFlow) -> None:
                super().__init__()
                self.flow = flow

            def forward(self, labels: torch.Tensor, *levels: torch.Tensor) -> torch.Tensor:
                return self.flow.inverse(levels, labels)

        with torch.no_grad():
            exported = torch.export.export(Decoder(model.flow), (labels, *latents))
            found = exported.module()(labels, *latents)
        torch.testing.assert_close(found, model.flow.inverse(latents, labels))


def test_freezing_before_initialization_warns() -> None:
    with pytest.warns(UserWarning, match="not initialized"):
        glow.Glow((1, 4, 4), n_levels=1, n_steps=1).frozen()
