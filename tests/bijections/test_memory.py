"""What training keeps for the backward pass changes neither values nor gradients."""

import math
from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from glow.bijections import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Chain,
    LULinear,
    Memory,
    ReversePermutation,
    ReversibleChain,
    build_chain,
    drift,
)
from glow.models import FlowStep
from glow.nets import CouplingNet
from tests.small_models import affine, net, perturb

POLICIES: tuple[Memory, ...] = get_args(Memory)
OTHERS = POLICIES[1:]


def steps(memory: Memory, n: int = 6, channels: int = 4, noise: float = 0.1) -> Chain:
    """Return n steps of flow, affine and additive in turn; the same for every policy."""
    torch.manual_seed(0)
    couplings = (affine, partial(AdditiveCoupling, net=net))
    parts = [FlowStep(channels, LULinear, couplings[i % 2]) for i in range(n)]
    return perturb(build_chain(parts, memory), noise)


def gradients(
    module: nn.Module, x: Tensor, context: Tensor | None = None, *, lowered: bool = False
) -> dict[str, Tensor]:
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=lowered):
        y, log_det = module(x, context)
    (y.square().sum() + 3 * log_det.square().sum()).backward()
    assert x.grad is not None
    found = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    return {"x": x.grad, **found}


def distance(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Return the norm of the difference, relative to the norm."""
    assert ours.keys() == theirs.keys()
    difference = torch.cat([(ours[name] - theirs[name]).flatten() for name in ours])
    return float(difference.norm() / torch.cat([g.flatten() for g in theirs.values()]).norm())


@pytest.mark.parametrize("memory", OTHERS)
def test_gradients_are_the_same(memory: Memory) -> None:
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64)
    retained, other = steps("keep").double(), steps(memory).double()
    assert distance(gradients(other, x), gradients(retained, x)) < 1e-8
    torch.testing.assert_close(other(x), retained(x))


@pytest.mark.parametrize("memory", OTHERS)
def test_gradients_are_the_same_in_float32_after_32_steps(memory: Memory) -> None:
    x = torch.randn(3, 4, 4, 2)
    retained, other = steps("keep", n=32, noise=0.02), steps(memory, n=32, noise=0.02)
    assert distance(gradients(other, x), gradients(retained, x)) < 1e-4


@pytest.mark.parametrize("memory", OTHERS)
def test_a_part_may_come_twice_and_another_may_have_no_gradient(memory: Memory) -> None:
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64)
    found = []
    for policy in ("keep", memory):
        torch.manual_seed(0)
        twice, fixed = affine(4), ActNorm(4)
        parts = build_chain([twice, ReversePermutation(4), twice, fixed, LULinear(4)], policy)
        fixed.requires_grad_(requires_grad=False)
        found.append(gradients(perturb(parts, 0.1).double(), x))
    assert "3.bias" not in found[0]
    assert distance(found[1], found[0]) < 1e-8


@pytest.mark.parametrize("memory", OTHERS)
def test_labels_reach_the_networks(memory: Memory) -> None:
    x, labels = torch.randn(3, 4, 4, 2, dtype=torch.float64), torch.tensor([0, 1, 1])
    found = []
    for policy in ("keep", memory):
        torch.manual_seed(0)
        parts = [affine(4, net=partial(net, n_classes=2)) for _ in range(3)]
        found.append(gradients(perturb(build_chain(parts, policy), 0.1).double(), x, labels))
    assert any("labels" in name for name in found[0])
    assert distance(found[1], found[0]) < 1e-8


@pytest.mark.parametrize("memory", OTHERS)
def test_a_context_of_features_gets_its_gradient(memory: Memory) -> None:
    class Shifted(Bijection):
        """Add the context, scaled."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

        def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
            assert context is not None
            return x.exp() + self.scale * context, x.flatten(1).sum(1)

        def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
            assert context is not None
            return (y - self.scale * context).log()

    found = []
    for policy in ("keep", memory):
        torch.manual_seed(0)
        x = torch.randn(3, 4, dtype=torch.float64)
        context = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
        part = Shifted()
        parameters = gradients(build_chain([part, part], policy), x, context)
        assert context.grad is not None
        found.append({**parameters, "context": context.grad})
    assert distance(found[1], found[0]) < 1e-8


@pytest.mark.parametrize("memory", OTHERS)
def test_gradients_accumulate(memory: Memory) -> None:
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64)
    once, accumulated = steps(memory).double(), steps(memory).double()
    gradients(once, x)
    gradients(accumulated, x)
    gradients(accumulated, x)
    for name, parameter in accumulated.named_parameters():
        grad = once.get_parameter(name).grad
        assert grad is not None
        torch.testing.assert_close(parameter.grad, 2 * grad)


@pytest.mark.parametrize("memory", OTHERS)
def test_gradients_agree_under_autocast(memory: Memory) -> None:
    """The backward pass runs outside of autocast, as in Lightning; what it recomputes must not."""
    x = torch.randn(3, 4, 4, 2)
    retained, other = (gradients(steps(policy), x, lowered=True) for policy in ("keep", memory))
    from_bfloat16 = distance(gradients(steps("keep"), x), retained)
    assert distance(other, retained) < 0.2 * from_bfloat16


def bytes_saved(memory: Memory, n: int) -> int:
    """Return what the graph of n steps, of a realistic width, holds for the backward pass."""
    coupling = partial(AffineCoupling, net=partial(CouplingNet, width=32))
    parts = build_chain([FlowStep(4, LULinear, coupling) for _ in range(n)], memory)
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = parts(torch.randn(32, 4, 8, 8))
    assert outputs[0].requires_grad
    return sum(saved.values())


def test_memory_grows_with_the_number_of_steps_as_documented() -> None:
    few, many = ({policy: bytes_saved(policy, n) for policy in POLICIES} for n in (4, 16))
    assert 3.9 < many["keep"] / few["keep"] < 4.1
    assert many["recompute"] < 0.1 * many["keep"]
    assert many["reverse"] == few["reverse"] < many["recompute"]


def test_the_drift_is_that_of_the_reversible_chains() -> None:
    assert drift(steps("keep")) is None
    parts = steps("reverse", n=16, noise=0.02)
    assert drift(parts) is None
    gradients(parts, torch.randn(3, 4, 4, 2))
    found = drift(parts)
    assert found is not None
    assert isinstance(parts, ReversibleChain)
    assert found == parts.drift
    assert 0 < found < 1e-4


def test_nothing_is_recorded_without_gradients() -> None:
    for memory in POLICIES:
        with torch.no_grad():
            y, log_det = steps(memory)(torch.randn(3, 4, 4, 2))
        assert not y.requires_grad
        assert not log_det.requires_grad


@pytest.mark.parametrize("coupling", [affine, partial(AdditiveCoupling, net=net)])
def test_reversal_runs_the_network_of_a_coupling_once_in_each_direction(
    coupling: partial[Bijection],
) -> None:
    part = coupling(4)
    calls = []
    next(part.children()).register_forward_hook(lambda *_: calls.append(1))
    y, _ = build_chain([part], "reverse")(torch.randn(3, 4, 4, 2, requires_grad=True))
    assert len(calls) == 1
    y.sum().backward()
    assert len(calls) == 2


def test_a_coupling_with_a_forward_of_its_own_is_reversed_by_it() -> None:
    class Doubled(AdditiveCoupling):
        """An additive coupling of 2 x."""

        def forward(  # type: ignore[override]
            self, x: Tensor, context: Tensor | None = None
        ) -> tuple[Tensor, Tensor]:
            y, log_det = super().forward(2 * x, context)
            return y, log_det + x[0].numel() * math.log(2)

        def inverse(  # type: ignore[override]
            self, y: Tensor, context: Tensor | None = None
        ) -> Tensor:
            return super().inverse(y, context) / 2

    x, found = torch.randn(3, 4, 4, 2), []
    for policy in POLICIES:
        torch.manual_seed(0)
        part = perturb(Doubled(4, net), 0.1)
        found.append(gradients(build_chain([part], policy).double(), x.double(), None))
    assert distance(found[1], found[0]) < 1e-8
    assert distance(found[2], found[0]) < 1e-8


def test_the_policies_have_the_same_state() -> None:
    states = [list(steps(memory).state_dict()) for memory in POLICIES]
    assert states[0] == states[1] == states[2]


def test_an_unknown_policy_raises() -> None:
    with pytest.raises(ValueError, match="keep, recompute, reverse, got none"):
        build_chain([], "none")  # type: ignore[arg-type]
