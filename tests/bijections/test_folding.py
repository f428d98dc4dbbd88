"""Layers folded together compute what they compute alone, and what does not fold works as well."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from glow.bijections import (
    ActNorm,
    ActNormLinear,
    AdditiveCoupling,
    Bijection,
    Chain,
    FoldedChain,
    LULinear,
    Memory,
    PlainLinear,
    ReversePermutation,
    Setting,
    Squeeze,
    build_chain,
    fold,
)
from glow.bijections.scale_map import floored_sigmoid
from glow.models import FlowStep
from glow.nets import MLP, CouplingNet
from tests.bijections.table import LABELS, TABLE, example, make, vector_affine
from tests.small_models import affine, mlp, net, perturb


def results(
    bijection: Bijection, x: Tensor, context: Tensor | None = None
) -> dict[str, Tensor | None]:
    """Return values in both directions, and all gradients."""
    bijection.zero_grad()
    x = x.clone().requires_grad_()
    y, log_det = bijection(x, context)
    (y.sin().sum() + log_det.square().sum()).backward()
    found = {name: parameter.grad for name, parameter in bijection.named_parameters()}
    back = bijection.inverse(y.detach(), context)
    return {"y": y, "log_det": log_det, "x": x.grad, "back": back, **found}


def different_steps() -> list[Bijection]:
    """Return steps of many kinds, some of them alike, in turn."""
    torch.manual_seed(0)
    additive = partial(AdditiveCoupling, net=net)
    steps: list[Bijection] = [
        FlowStep(4, LULinear, affine),
        FlowStep(4, PlainLinear, additive),
        FlowStep(4, ReversePermutation, affine),
        FlowStep(4, LULinear, additive),
        FlowStep(4, PlainLinear, partial(affine, scale_map=floored_sigmoid)),
        FlowStep(4, LULinear, partial(affine, net=partial(net, width=3))),
        FlowStep(4, LULinear, partial(affine, net=partial(net, edge_indicator=False))),
        FlowStep(4, LULinear, partial(affine, net=partial(net, log_scale_factor=1.0))),
        FlowStep(4, LULinear, partial(affine, net=partial(net, n_classes=2))),
        FlowStep(4, LULinear, affine),
    ]
    steps.append(perturb(FlowStep(4, LULinear, affine)))
    steps.append(ActNormLinear(ActNorm(4, 2.0), LULinear(4)))
    steps.append(ActNormLinear(ActNorm(4, 2.0), ActNormLinear(ActNorm(4), PlainLinear(4))))
    return [perturb(step.double()) for step in steps]


@pytest.mark.parametrize("memory", ["keep", "recompute", "reverse"])
def test_steps_of_many_kinds_are_folded_as_each_alone(memory: Memory) -> None:
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64)
    expected = results(Chain(*different_steps()), x, LABELS)
    found = results(build_chain(different_steps(), memory), x, LABELS)
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", TABLE)
def test_every_bijection_can_be_folded_with_its_like(name: str) -> None:
    """Two that differ in their weights, where two of them make a chain."""
    first, second, (x, context) = make(name, seed=0), make(name, seed=1), example(name)
    if first(x, context)[0].shape != x.shape:
        return
    expected = results(Chain(first, second), x, context)
    found = results(FoldedChain(first, second), x, context)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key])


def test_steps_of_vectors_are_folded() -> None:
    steps = [FlowStep(6, LULinear, partial(vector_affine, net=mlp)) for _ in range(3)]
    perturb(nn.ModuleList(steps).double())
    x = torch.randn(3, 6, dtype=torch.float64)
    expected, found = results(Chain(*steps), x), results(FoldedChain(*steps), x)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key])


class Elsewhere(AdditiveCoupling):
    """A coupling whose author has never heard of folding."""

    def condition(  # type: ignore[override]
        self, x_a: Tensor, context: Tensor | None = None
    ) -> Tensor:
        return 2 * super().condition(x_a, context)


class ElsewhereNet(CouplingNet):
    """A network of the same kind."""

    def forward(  # type: ignore[override]
        self, x: Tensor, context: Tensor | None = None
    ) -> Tensor:
        return super().forward(x, context).tanh()


@pytest.mark.parametrize("memory", ["keep", "recompute", "reverse"])
def test_layers_that_know_nothing_of_folding_work(memory: Memory) -> None:
    def steps() -> list[Bijection]:
        torch.manual_seed(0)
        couplings = (
            partial(Elsewhere, net=net),
            partial(affine, net=partial(ElsewhereNet, width=5)),
        )
        return [perturb(FlowStep(4, LULinear, coupling).double()) for coupling in couplings]

    assert not Elsewhere.takes_folded
    assert not ElsewhereNet.takes_folded
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64)
    expected, found = results(Chain(*steps()), x), results(build_chain(steps(), memory), x)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("memory", ["keep", "recompute", "reverse"])
def test_a_network_that_does_not_fold_runs_under_autocast_all_the_same(memory: Memory) -> None:
    seen = []

    class Witness(MLP):
        """Record the precision of what it computes."""

        def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
            out = super().forward(x, context)
            seen.append(out.dtype)
            return out

    steps = [FlowStep(6, LULinear, partial(vector_affine, net=Witness)) for _ in range(2)]
    chain = build_chain(steps, memory)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, _ = chain(torch.randn(3, 6, requires_grad=True))
        chain.inverse(y.detach())
    y.sum().backward()
    assert y.dtype == torch.float32
    assert set(seen) == {torch.bfloat16}


def test_a_chain_of_two_sizes_is_right() -> None:
    """What is folded for another size is not used."""
    parts = [FlowStep(4, LULinear, affine), Squeeze(), FlowStep(16, LULinear, affine)]
    perturb(nn.ModuleList(parts).double())
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64)
    expected, found = results(Chain(*parts), x), results(FoldedChain(*parts), x)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key])


def test_what_is_folded_follows_the_order_of_the_layers() -> None:
    layers = [LULinear(3), ReversePermutation(3), PlainLinear(3), LULinear(3)]
    shares = fold(layers, Setting.of(torch.randn(2, 3)))
    assert [len(share.tensors) for share in shares] == [2, 0, 2, 2]
    for layer, share in zip(layers, shares, strict=True):
        if share.tensors:
            assert isinstance(layer, LULinear | PlainLinear)
            torch.testing.assert_close(share.tensors[0], layer.matrix())
