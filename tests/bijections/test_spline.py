import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from glow.bijections import RationalQuadraticSpline

SPLINE = RationalQuadraticSpline(n_bins=5, bound=3.0)
seeds = st.integers(0, 2**31 - 1)
scales = st.sampled_from([0.1, 1.0, 3.0, 30.0])


def raw_of(seed: int, scale: float, n: int = 1, spline: RationalQuadraticSpline = SPLINE) -> Tensor:
    """Return the same random parameters for n points, float64 (n,n_raw)."""
    generator = torch.Generator().manual_seed(seed)
    raw = scale * torch.randn(spline.n_raw, generator=generator, dtype=torch.float64)
    return raw.float().double().expand(n, -1)


def knots_of(raw: Tensor, spline: RationalQuadraticSpline = SPLINE) -> tuple[Tensor, Tensor]:
    """Return x and y of the knots, (K + 1), written out."""
    edges = []
    for part in raw[0].split([spline.n_bins, spline.n_bins, spline.n_bins - 1])[:2]:
        shares = spline.min_width + (1 - spline.n_bins * spline.min_width) * part.softmax(0)
        ends = [shares[:i].sum() for i in range(spline.n_bins + 1)]
        edges.append(torch.stack(ends) * 2 * spline.bound - spline.bound)
    return edges[0], edges[1]


def test_zeros_are_the_identity() -> None:
    x = torch.linspace(-4, 4, 101)[:, None]
    y, log_det = SPLINE.forward(x, torch.zeros(101, SPLINE.n_raw))
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(log_det, torch.zeros(101), rtol=0, atol=1e-5)


@given(seeds)
def test_it_goes_through_its_knots_with_the_given_slopes(seed: int) -> None:
    raw = raw_of(seed, 1.0, SPLINE.n_bins + 1)
    x_knots, y_knots = knots_of(raw)
    x = x_knots[:, None].clone().requires_grad_()
    y, log_det = SPLINE.forward(x, raw)
    torch.testing.assert_close(y.squeeze(1), y_knots)
    (slope,) = torch.autograd.grad(y.sum(), x)
    inner = torch.nn.functional.softplus(raw[0, -4:] + math.log(math.expm1(1 - SPLINE.min_slope)))
    torch.testing.assert_close(slope[1:-1, 0], SPLINE.min_slope + inner)
    torch.testing.assert_close(log_det.exp()[[0, -1]], torch.ones(2, dtype=torch.float64))


@given(seeds, scales)
def test_it_increases_and_is_continuous(seed: int, scale: float) -> None:
    x = torch.linspace(-3.5, 3.5, 4001, dtype=torch.float64)[:, None]
    y, log_det = SPLINE.forward(x, raw_of(seed, scale, len(x)))
    assert (y.diff(dim=0) > 0).all()
    assert (y[[0, -1]] == x[[0, -1]]).all()
    assert log_det.isfinite().all()
    trapezoid = (log_det.exp()[1:] + log_det.exp()[:-1]) / 2 * (x[1] - x[0])
    if scale <= 1:  # the area below the slope is the height
        torch.testing.assert_close(trapezoid.sum(), y[-1, 0] - y[0, 0], rtol=1e-3, atol=0)


@given(seeds, scales, st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=8))
def test_float32_agrees_with_float64(seed: int, scale: float, points: list[float]) -> None:
    raw = raw_of(seed, scale, len(points))
    x = torch.tensor(points, dtype=torch.float64)[:, None]
    y, log_det = SPLINE.forward(x.float(), raw.float())
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    # y is exact for an x that differs by a few roundings: slopes may reach 1e5.
    assert_between(y.double(), *(SPLINE.forward(x + d, raw)[0] for d in (-1e-5, 1e-5)))
    found = SPLINE.inverse(x.float(), raw.float()).double()
    assert_between(found, *(SPLINE.inverse(x + d, raw) for d in (-1e-5, 1e-5)))


def assert_between(found: Tensor, lower: Tensor, upper: Tensor) -> None:
    assert (found >= lower - 1e-5).all(), (found, lower)
    assert (found <= upper + 1e-5).all(), (found, upper)


def test_the_inverse_is_exact_just_below_a_knot() -> None:
    """There the textbook discriminant rounds to a negative number in one of 100 steep splines."""
    raw = 3 * torch.randn(20_000, SPLINE.n_raw)
    _, knots, _ = SPLINE._knots(raw, torch.zeros(len(raw), 1))
    y = knots[:, 0, 1:2].nextafter(torch.tensor(-4.0))
    found = SPLINE.inverse(y, raw)
    assert found.isfinite().all()
    lower, upper = (SPLINE.forward(found.double() + d, raw.double())[0] for d in (-1e-5, 1e-5))
    assert_between(y.double(), lower, upper)


@given(seeds)
def test_the_float32_log_det_agrees_with_float64(seed: int) -> None:
    x = torch.linspace(-3.5, 3.5, 501, dtype=torch.float64)[:, None]
    raw = raw_of(seed, 1.0, len(x))
    _, found = SPLINE.forward(x.float(), raw.float())
    _, expected = SPLINE.forward(x, raw)
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-3)


@given(seeds, st.sampled_from([0.0, 1.0, 100.0, 1e4]))
def test_bins_without_width_points_on_knots_and_points_far_outside_stay_finite(
    seed: int, scale: float
) -> None:
    """A softmax underflows to 0, and the width of a bin is its minimum."""
    x_knots, _ = knots_of(raw_of(seed, scale))
    far = torch.tensor([-1e30, 1e30, -3.0, 3.0, math.nextafter(3.0, 4.0), 0.0])
    x = torch.cat([x_knots.float(), far])[:, None].requires_grad_()
    raw = raw_of(seed, scale, len(x)).float().clone().requires_grad_()
    y, log_det = SPLINE.forward(x, raw)
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    assert (y[x.abs() >= 3] == x[x.abs() >= 3]).all()
    for output in (y.sum(), log_det.sum(), SPLINE.inverse(x, raw).sum()):
        for gradient in torch.autograd.grad(output, (x, raw), retain_graph=True):
            assert gradient.isfinite().all()


def test_channels_go_with_their_own_parameters() -> None:
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    raw = torch.randn(2, 3 * SPLINE.n_raw, 4, 5, dtype=torch.float64)
    y, log_det = SPLINE.forward(x, raw)
    terms = []
    for c in range(3):
        ours = raw[:, c * SPLINE.n_raw : (c + 1) * SPLINE.n_raw]
        y_c, term = SPLINE.forward(x[:, c : c + 1], ours)
        torch.testing.assert_close(y[:, c : c + 1], y_c)
        terms.append(term)
    torch.testing.assert_close(log_det, sum(terms))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_bins": 0}, "n_bins must be at least 1, got 0"),
        ({"bound": 0.0}, "bound must be above 0, got 0.0"),
        ({"n_bins": 4, "min_width": 0.3}, "above 0 and below 1 / n_bins = 0.25, got 0.3"),
        ({"min_width": 0.0}, "got 0.0"),
        ({"min_slope": 1.0}, "min_slope must be between 0 and 1, got 1.0"),
    ],
)
def test_arguments_out_of_range_raise(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RationalQuadraticSpline(**arguments)  # type: ignore[arg-type]
