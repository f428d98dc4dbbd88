from collections.abc import Callable

import pytest
import torch

from glow.bijections import ActNorm, ActNormLinear, Chain, InvertibleLinear, LULinear, PlainLinear
from tests.small_models import perturb

LINEARS: list[Callable[[], InvertibleLinear]] = [
    lambda: LULinear(4),
    lambda: PlainLinear(4),
    lambda: ActNormLinear(ActNorm(4), LULinear(4)),  # which has a bias
    lambda: perturb(ActNormLinear(ActNorm(4), LULinear(4))).frozen(),
]


@pytest.mark.parametrize("linear", LINEARS)
@pytest.mark.parametrize("shape", [(7, 4, 3, 2), (7, 4)])
def test_it_equals_the_chain_of_both(
    linear: Callable[[], InvertibleLinear], shape: tuple[int, ...]
) -> None:
    parts = perturb(ActNorm(4)), perturb(linear())
    x, chain, both = torch.randn(shape), Chain(*parts), ActNormLinear(*parts)
    for found, expected in zip(both(x), chain(x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    y = both(x)[0].detach()
    torch.testing.assert_close(both.inverse(y), x, rtol=1e-4, atol=1e-4)


def test_both_are_initialized() -> None:
    both = ActNormLinear(ActNorm(4), ActNormLinear(ActNorm(4), LULinear(4)))
    x = torch.randn(50, 4, 3, 3) * 3 + 1
    y = both.initialize(x)
    assert all(m.initialized for m in both.modules() if isinstance(m, ActNorm))
    torch.testing.assert_close(y, both(x)[0])
