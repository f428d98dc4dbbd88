import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glow.bijections import Planar
from tests.small_models import perturb


def planar(weight: list[float], direction: list[float], bias: float = 0.0) -> Planar:
    flow = Planar(len(weight)).double()
    flow.weight.data = torch.tensor(weight, dtype=torch.float64)
    flow.raw_direction.data = torch.tensor(direction, dtype=torch.float64)
    flow.bias.data.fill_(bias)
    return flow


def test_it_is_the_formula_of_the_paper() -> None:
    flow = perturb(Planar(3).double(), 1.0)
    x = torch.randn(5, 3, dtype=torch.float64)
    y, log_det = flow(x)
    u, w, b = flow.direction_and_slope()[0], flow.weight, flow.bias
    height = torch.tanh(x @ w + b)
    torch.testing.assert_close(y, x + height[:, None] * u)
    psi = (1 - height**2)[:, None] * w
    torch.testing.assert_close(log_det, (1 + psi @ u).abs().log())


def test_it_starts_as_the_identity() -> None:
    x = torch.randn(5, 3)
    y, log_det = Planar(3)(x)
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(log_det, torch.zeros(5))


numbers = st.floats(-1e3, 1e3, width=32)


@given(numbers, numbers, numbers, numbers)
def test_it_is_invertible_whatever_the_parameters_are(
    a: float, b: float, c: float, d: float
) -> None:
    flow = planar([a, b], [c, d]).float()
    with torch.no_grad():
        _, slope = flow.direction_and_slope()
        assert slope > 0
        _, log_det = flow(torch.tensor([[0.0, 0.0], [1.0, -1.0], [1e6, 1e6], [-1e15, 1e15]]))
        assert log_det.isfinite().all()


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-20, 20), st.floats(-2, 2))
def test_float32_agrees_with_float64(
    weight: float, direction: float, x: float, bias: float
) -> None:
    exact = planar([weight, 0.5], [direction, -0.3], bias)
    rounded = planar([weight, 0.5], [direction, -0.3], bias).float()
    with torch.no_grad():
        point = torch.tensor([[x, 1.0]])
        y, log_det = rounded(point)
        y_exact, log_det_exact = exact(point.double())
        torch.testing.assert_close(y.double(), y_exact, rtol=1e-4, atol=1e-4)
        # The logarithm is sensitive to w . x where the slope is small.
        torch.testing.assert_close(log_det.double(), log_det_exact, rtol=1e-3, atol=1e-3)
        again, _ = exact(rounded.inverse(point).double())
        torch.testing.assert_close(again.float(), point, rtol=1e-4, atol=1e-4)


def test_a_slope_that_float32_cannot_tell_from_0_keeps_its_log_det() -> None:
    flow = planar([1.0, 0.0], [-30.0, 0.0]).float()
    _, log_det = flow(torch.zeros(1, 2))
    assert log_det.item() == pytest.approx(-30 + math.log(math.e - 1), rel=1e-5)
    x = flow.inverse(torch.tensor([[1e-3, 2.0]]))
    torch.testing.assert_close(flow(x)[0], torch.tensor([[1e-3, 2.0]]), rtol=0, atol=1e-5)


def test_a_weight_of_0_is_a_translation() -> None:
    flow = planar([0.0, 0.0], [1.0, 2.0], bias=0.5)
    x = torch.randn(4, 2, dtype=torch.float64)
    y, log_det = flow(x)
    shift = math.tanh(0.5) * torch.tensor([1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(y, x + shift)
    torch.testing.assert_close(log_det, torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(flow.inverse(y), x)
