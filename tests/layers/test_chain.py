"""What a chain keeps for the backward pass changes neither values nor gradients."""

from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from glow.flow import FlowStep
from glow.layers import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Chain,
    CouplingNet,
    LUInvertibleConv,
    Memory,
    ReversePermutation,
)
from tests.bijections import affine, net, perturb

POLICIES: tuple[Memory, ...] = get_args(Memory)
OTHERS = POLICIES[1:]


def steps(memory: Memory, n: int = 6, channels: int = 4, noise: float = 0.1) -> Chain:
    """Return n steps of flow, affine and additive in turn; the same for every policy."""
    torch.manual_seed(0)
    couplings = (affine, partial(AdditiveCoupling, net=net))
    parts = [FlowStep(channels, LUInvertibleConv, couplings[i % 2]) for i in range(n)]
    return perturb(Chain(*parts, memory=memory), noise)


def gradients(chain: nn.Module, x: Tensor, *, lowered: bool = False) -> dict[str, Tensor]:
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=lowered):
        y, log_det = chain(x)
    (y.square().sum() + 3 * log_det.square().sum()).backward()
    assert x.grad is not None
    found = {name: p.grad for name, p in chain.named_parameters() if p.grad is not None}
    return {"x": x.grad, **found}


def distance(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Return the norm of the difference, relative to the norm."""
    assert ours.keys() == theirs.keys()
    difference = torch.cat([(ours[name] - theirs[name]).flatten() for name in ours])
    return float(difference.norm() / torch.cat([g.flatten() for g in theirs.values()]).norm())


@pytest.mark.parametrize("memory", OTHERS)
def test_gradients_are_the_same(memory: Memory) -> None:
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64)
    kept, other = steps("keep").double(), steps(memory).double()
    assert distance(gradients(other, x), gradients(kept, x)) < 1e-8
    torch.testing.assert_close(other(x), kept(x))


@pytest.mark.parametrize("memory", OTHERS)
def test_they_are_the_same_in_float32_after_32_steps(memory: Memory) -> None:
    x = torch.randn(3, 4, 4, 2)
    kept, other = steps("keep", n=32, noise=0.02), steps(memory, n=32, noise=0.02)
    assert distance(gradients(other, x), gradients(kept, x)) < 1e-4


@pytest.mark.parametrize("memory", OTHERS)
def test_a_part_may_come_twice_and_another_may_be_frozen(memory: Memory) -> None:
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64)
    found = []
    for policy in ("keep", memory):
        torch.manual_seed(0)
        twice, frozen = affine(4), ActNorm(4)
        parts = (twice, ReversePermutation(4), twice, frozen, LUInvertibleConv(4))
        chain = perturb(Chain(), 0.1)
        for index, part in enumerate(parts):
            chain.add_module(str(index), part)
        chain = perturb(chain, 0.1).double()
        chain.memory = policy
        frozen.requires_grad_(requires_grad=False)
        found.append(gradients(chain, x))
    assert "3.bias" not in found[0]
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
def test_they_agree_under_autocast(memory: Memory) -> None:
    """Which the backward pass, as in Lightning, runs outside of, but not what it recomputes."""
    x = torch.randn(3, 4, 4, 2)
    kept, other = (gradients(steps(policy), x, lowered=True) for policy in ("keep", memory))
    from_bfloat16 = distance(gradients(steps("keep"), x), kept)
    assert distance(other, kept) < 0.2 * from_bfloat16


def bytes_saved(memory: Memory, n: int) -> int:
    """Return what the graph of n steps, of a width as in practice, holds for the backward pass."""
    coupling = partial(AffineCoupling, net=partial(CouplingNet, width=32))
    chain = Chain(*(FlowStep(4, LUInvertibleConv, coupling) for _ in range(n)), memory=memory)
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = chain(torch.randn(32, 4, 8, 8))
    assert outputs[0].requires_grad
    return sum(saved.values())


def test_memory_grows_with_the_steps_as_promised() -> None:
    few, many = ({policy: bytes_saved(policy, n) for policy in POLICIES} for n in (4, 16))
    assert 3.9 < many["keep"] / few["keep"] < 4.1
    assert many["checkpoint"] < 0.1 * many["keep"]
    assert many["reverse"] == few["reverse"] < many["checkpoint"]


def test_the_drift_of_reverse_is_told() -> None:
    assert steps("reverse").drift is None
    chain = steps("reverse", n=16, noise=0.02)
    gradients(chain, torch.randn(3, 4, 4, 2))
    assert chain.drift is not None
    assert 0 < chain.drift < 1e-4


def test_nothing_is_recorded_without_gradients() -> None:
    for memory in POLICIES:
        with torch.no_grad():
            y, log_det = steps(memory)(torch.randn(3, 4, 4, 2))
        assert not y.requires_grad
        assert not log_det.requires_grad


def test_rebuilding_recomputes_the_input() -> None:
    class Doubling(Bijection):
        """A layer that knows nothing of rebuilding."""

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return 2 * x, torch.full((len(x),), 5.0)

        def inverse(self, y: Tensor) -> Tensor:
            return y / 2

    x = torch.randn(2, 4, 2, 2)
    for layer in (Doubling(), affine(4), AdditiveCoupling(4, net=net)):
        y, log_det = layer(x)
        leaves, *outputs = layer.rebuild(y.detach())
        torch.testing.assert_close(torch.cat(leaves, dim=1), x)
        torch.testing.assert_close(outputs, [y, log_det])
        assert all(leaf.is_leaf and leaf.requires_grad for leaf in leaves)


def test_another_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="keep, checkpoint, reverse, got none"):
        Chain(memory="none")  # type: ignore[arg-type]
