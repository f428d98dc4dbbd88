"""Every stage is one to one on integers, and costs what the bijection says."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from glow.bijections import (
    ActNorm,
    ActNormLinear,
    AdditiveCoupling,
    Affine,
    AffineCoupling,
    Bijection,
    Chain,
    Checkerboard,
    Flattened,
    Inverse,
    LogisticToNormal,
    LULinear,
    OrthogonalLinear,
    PlainLinear,
    RationalQuadraticSpline,
    ShufflePermutation,
    Split,
    Squeeze,
    TanhCoupling,
    TransformCoupling,
)
from glow.bijections.scale_map import floored_sigmoid, tanh_exp
from glow.compression.bit_stack import BitStack
from glow.compression.factors import factors
from glow.compression.flow_codec import code
from glow.compression.grid import Rescaling, Shear, UncodableError
from glow.nets import CouplingNet
from tests.small_models import perturb

net = partial(CouplingNet, width=6)
SHAPE = (4, 6, 6)
UNIT = 2.0**-12

PARTS: dict[str, Callable[[], Bijection]] = {
    "actnorm": lambda: ActNorm(4),
    "actnorm of vectors": lambda: Flattened(ActNorm(144)),
    "lu": lambda: LULinear(4),
    "plain": lambda: PlainLinear(4),
    "orthogonal": lambda: OrthogonalLinear(4),
    "actnorm and lu": lambda: ActNormLinear(ActNorm(4), LULinear(4)),
    "shuffle": lambda: ShufflePermutation(4),
    "inverse of a permutation": lambda: Inverse(Checkerboard(4)),
    "squeeze": Squeeze,
    "additive": lambda: AdditiveCoupling(4, net),
    "affine": lambda: AffineCoupling(4, net),
    "affine floored": lambda: AffineCoupling(4, net, floored_sigmoid),
    "affine tanh_exp": lambda: AffineCoupling(4, net, tanh_exp),
    "affine tanh": lambda: TanhCoupling(4, net),
    "affine as a transform": lambda: TransformCoupling(4, net, Affine()),
    "split": lambda: Split(4, net),
    "chain": lambda: Chain(Squeeze(), ActNorm(16), AffineCoupling(16, net), LULinear(16)),
}


def full_stack(n_words: int = 20000) -> BitStack:
    words = np.random.default_rng(0).integers(2**32, size=n_words, dtype=np.uint32)
    return BitStack(words, sealed=True)


def build(name: str) -> tuple[Bijection, Tensor]:
    part = perturb(PARTS[name](), 0.1).requires_grad_(requires_grad=False)
    return part, torch.randint(-(2**13), 2**13, (8, *SHAPE))


@pytest.mark.parametrize("name", PARTS)
@torch.no_grad()
def test_integers_and_bits_come_back(name: str) -> None:
    part, x = build(name)
    stages, _ = code(part, torch.full(SHAPE, UNIT, dtype=torch.float64))
    stack = full_stack()
    before, y = stack.words(), x
    for stage in stages:
        y = stage.encode(y, None, stack)
    for stage in reversed(stages):
        y = stage.decode(y, None, stack)
    assert torch.equal(y, x)
    assert np.array_equal(stack.words(), before)


@pytest.mark.parametrize("name", PARTS)
@torch.no_grad()
def test_a_stage_computes_the_bijection_at_the_cost_of_its_log_det(name: str) -> None:
    part, x = build(name)
    units = torch.full(SHAPE, UNIT, dtype=torch.float64)
    stages, _ = code(part, units)
    stack, y = full_stack(), x
    before = stack.n_bits
    for stage in stages:
        y = stage.encode(y, None, stack)
    expected, log_det = part.double()((x * units).double())
    real = y * stages[-1].units
    torch.testing.assert_close(real, expected, rtol=1e-3, atol=0.01)
    # Coarser units hold fewer of the bits, which are then on the stack.
    gained = stack.n_bits - before
    held = len(x) * float((stages[-1].units / units.reshape(stages[-1].units.shape)).log2().sum())
    assert gained == pytest.approx(
        held - float(log_det.sum()) / math.log(2), abs=64 + 2e-3 * x.numel()
    )


def test_what_has_no_exact_code_is_refused() -> None:
    units = torch.full(SHAPE, UNIT, dtype=torch.float64)
    with pytest.raises(ValueError, match="no exact code for LogisticToNormal"):
        code(LogisticToNormal(), units)
    with pytest.raises(ValueError, match="couplings with a RationalQuadraticSpline"):
        code(TransformCoupling(4, net, RationalQuadraticSpline()), units)


@torch.no_grad()
def test_images_that_leave_the_grid_are_named() -> None:
    part, x = build("actnorm and lu")
    stages, _ = code(part, torch.full(SHAPE, UNIT, dtype=torch.float64))
    x[3] = 2**45
    with pytest.raises(UncodableError) as caught:
        stages[0].encode(x, None, full_stack())
    assert caught.value.images.tolist() == [i == 3 for i in range(8)]


@pytest.mark.parametrize("log2_scale", [-40.0, -9.9, -0.3, 0.0, 4.7, 40.0])
def test_any_scale_comes_back(log2_scale: float) -> None:
    x, stack = torch.randint(-(2**20), 2**20, (5, 7)), full_stack(2000)
    before = stack.words()
    rescaling = Rescaling(torch.full((5, 7), log2_scale, dtype=torch.float64))
    y = rescaling.encode(x, stack)
    scale = 2.0 ** min(max(log2_scale, -10), 10)
    assert (y - x * scale).abs().max() <= 2**20 * scale * 2**-12 + 1
    assert torch.equal(rescaling.decode(y, stack), x)
    assert np.array_equal(stack.words(), before)


def test_a_shear_is_exact_up_to_its_bound() -> None:
    shear = Shear(torch.randn(9, 9, dtype=torch.float64).triu(1))
    x = torch.randint(-int(shear.bound), int(shear.bound), (9, 50))
    assert torch.equal(shear.decode(shear.encode(x)), x)


@pytest.mark.parametrize("n", [1, 2, 12, 48])
def test_factors_multiply_to_the_matrix_and_are_small(n: int) -> None:
    matrix = torch.randn(n, n, dtype=torch.float64)
    rows, lower, diagonal, upper, columns = factors(matrix)
    product = (lower @ (diagonal[:, None] * upper[:, columns.argsort()]))[rows]
    torch.testing.assert_close(product, matrix)
    assert max(lower.abs().max(), upper.abs().max()) <= 1


def test_a_singular_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match="3 channels is singular"):
        factors(torch.ones(3, 3, dtype=torch.float64))
