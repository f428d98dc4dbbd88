import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from glow.bijections import Bijection, Logit, Sigmoid


@pytest.mark.parametrize("bijection", [Sigmoid(), Logit(), Logit(0.05)])
def test_each_has_the_log_det_of_its_jacobian(bijection: Bijection) -> None:
    x = torch.rand(3, 4, dtype=torch.float64)
    y, log_det = bijection(x)
    torch.testing.assert_close(bijection.inverse(y), x)
    for i in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda one: bijection(one[None])[0][0], x[i])
        torch.testing.assert_close(log_det[i], torch.linalg.slogdet(jacobian).logabsdet)


@given(st.floats(-(2.0**100), 2.0**100, width=32))
def test_the_log_det_of_the_sigmoid_is_exact_where_its_value_rounds_to_0_or_1(x: float) -> None:
    y, log_det = Sigmoid()(torch.tensor([[x]]))
    exact = torch.tensor(x, dtype=torch.float64)
    expected = F.logsigmoid(exact) + F.logsigmoid(-exact)
    torch.testing.assert_close(log_det.double().squeeze(), expected, rtol=1e-6, atol=1e-6)
    assert Sigmoid().inverse(y).isfinite().all()


@given(st.floats(-80, 14, width=32))
def test_float32_round_trips(x: float) -> None:
    y, _ = Sigmoid()(torch.tensor([[x]]))
    # Near 1 the spacing of numbers is 2^-24, and the logit has the slope exp(x).
    tolerance = 1e-5 * (1 + abs(x)) + 2**-23 * math.exp(x)
    assert math.isclose(Sigmoid().inverse(y).item(), x, abs_tol=tolerance)


@given(st.floats(0, 1, width=32))
def test_the_logit_agrees_with_float64_near_0_and_1(p: float) -> None:
    y, log_det = Logit()(torch.tensor([[p]]))
    assert y.isfinite().all()
    if 1.2e-38 < p < 1:  # a normal float32
        exact = torch.tensor(p, dtype=torch.float64)
        torch.testing.assert_close(y.double().squeeze(), torch.logit(exact), rtol=1e-6, atol=1e-6)
        expected = -exact.log() - (-exact).log1p()
        torch.testing.assert_close(log_det.double().squeeze(), expected, rtol=1e-6, atol=1e-6)


def test_0_and_1_are_finite_and_symmetric_with_a_margin() -> None:
    y, log_det = Logit(0.05)(torch.tensor([[0.0], [1.0]]))
    torch.testing.assert_close(y[0], -y[1])
    torch.testing.assert_close(y[1], torch.logit(torch.tensor([0.95])))
    torch.testing.assert_close(log_det[0], log_det[1])


def test_an_entry_outside_of_the_unit_interval_becomes_nan() -> None:
    assert Logit()(torch.tensor([[-0.1], [1.1], [math.nan]]))[0].isnan().all()


@pytest.mark.parametrize("margin", [-0.1, 0.5])
def test_a_margin_out_of_range_raises(margin: float) -> None:
    with pytest.raises(ValueError, match=f"at least 0 and below 0.5, got {margin}"):
        Logit(margin)


def test_the_interval_of_the_logit_can_be_moved() -> None:
    x = torch.rand(3, 4, dtype=torch.float64)
    for found, expected in zip(Logit(0.05, low=-0.5)(x - 0.5), Logit(0.05)(x), strict=True):
        torch.testing.assert_close(found, expected)
    assert Logit(low=-0.5)(torch.tensor([[0.6]]))[0].isnan()
