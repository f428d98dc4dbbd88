from collections import OrderedDict

import pytest
import torch

from glow.bijections import ActNorm, Bijection, Chain, LULinear, Memory, build_chain
from tests.bijections.table import vector_affine
from tests.small_models import affine, perturb


@pytest.mark.parametrize("memory", ["keep", "recompute", "reverse"])
@pytest.mark.parametrize("make", [lambda: affine(4), lambda: LULinear(4), lambda: ActNorm(4)])
def test_a_part_that_comes_twice_is_applied_twice(memory: Memory, make: type[Bijection]) -> None:
    part = perturb(make().double())
    twice = build_chain([part, part], memory)
    assert len(twice) == 2
    x = torch.randn(3, 4, 4, 2, dtype=torch.float64, requires_grad=True)
    first, first_log_det = part(x)
    expected, second_log_det = part(first)
    y, log_det = twice(x)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(log_det, first_log_det + second_log_det)
    torch.testing.assert_close(twice.inverse(y), x)
    probe = torch.randn_like(y)
    leaves = [x, *part.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad((y * probe).sum() + log_det.square().sum(), leaves),
        torch.autograd.grad(
            (expected * probe).sum() + (first_log_det + second_log_det).square().sum(), leaves
        ),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_a_chain_is_built_like_a_sequential() -> None:
    parts = [ActNorm(4), LULinear(4)]
    assert list(Chain(*parts)) == parts
    named = Chain(OrderedDict(first=parts[0], second=parts[1]))
    assert named.second is parts[1]
    assert list(named.state_dict()) == [
        "first.bias",
        "first.log_scale",
        "first.initialized",
        "second.lu",
        "second.rows",
    ]


def test_an_empty_chain_is_the_identity() -> None:
    x = torch.randn(3, 4)
    y, log_det = Chain()(x)
    assert torch.equal(y, x)
    assert torch.equal(log_det, torch.zeros(3))


def test_later_parts_are_initialized_from_the_output_of_earlier_ones() -> None:
    parts = Chain(ActNorm(2), ActNorm(2)).double()
    parts.initialize(7 + 3 * torch.randn(100, 2, 4, 4, dtype=torch.float64))
    assert parts.state_dict()["1.bias"].abs().max() < 1e-6
    assert parts.state_dict()["1.log_scale"].abs().max() < 1e-5


def test_inner_chains_and_couplings_hand_the_context_on() -> None:
    class Witness(Bijection):
        """Remember the context of every call."""

        def __init__(self) -> None:
            super().__init__()
            self.seen: list[object] = []

        def forward(
            self, x: torch.Tensor, context: torch.Tensor | None = None
        ) -> tuple[torch.Tensor, torch.Tensor]:
            self.seen.append(context)
            return x, torch.zeros(len(x))

        def inverse(self, y: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
            self.seen.append(context)
            return y

    witness, context, x = Witness(), torch.arange(3), torch.randn(3, 6)
    nested = Chain(Chain(witness), vector_affine(6), witness)
    y, _ = nested(x, context)
    nested.inverse(y, context)
    nested.initialize(x, context)
    assert len(witness.seen) == 6
    assert all(seen is context for seen in witness.seen)
