import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from glow.bijections import LogisticToNormal
from glow.likelihood import standard_normal_log_prob

to_normal = LogisticToNormal()


def log_density(x: torch.Tensor) -> torch.Tensor:
    """Return the log-density of x (B,D) under a normal base after the map, (B,)."""
    y, log_det = to_normal(x)
    return standard_normal_log_prob([y]) + log_det


def test_it_is_the_quantile_of_the_sigmoid() -> None:
    x = torch.linspace(-6, 6, 99, dtype=torch.float64)[:, None]
    y, _ = to_normal(x)
    torch.testing.assert_close(y, torch.special.ndtri(x.sigmoid()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(x=st.floats(-1e4, 1e4, width=32))
def test_with_a_normal_base_the_density_is_logistic(dtype: torch.dtype, x: float) -> None:
    given_x = torch.tensor([[x]], dtype=dtype, requires_grad=True)
    found = log_density(given_x)
    (slope,) = torch.autograd.grad(found.sum(), given_x)
    exact = torch.tensor(x, dtype=torch.float64)
    expected = -F.softplus(exact) - F.softplus(-exact)
    tolerance = 8 * torch.finfo(dtype).eps
    assert abs(found.item() - expected.item()) < tolerance * (2 + abs(x))
    assert math.isclose(slope.item(), -math.tanh(x / 2), abs_tol=2e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(x=st.floats(-(2.0**100), 2.0**100, width=32))
def test_any_number_round_trips(dtype: torch.dtype, x: float) -> None:
    given_x = torch.tensor([[x]], dtype=dtype)
    again = to_normal.inverse(to_normal(given_x)[0])
    torch.testing.assert_close(again, given_x, rtol=16 * torch.finfo(dtype).eps, atol=2e-6)


def test_it_is_odd_and_passes_through_0_with_its_slope() -> None:
    x = torch.tensor([[0.0], [1.5], [-1.5]], dtype=torch.float64, requires_grad=True)
    y, log_det = to_normal(x)
    assert y[0] == 0
    assert y[1] == -y[2]
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert slope[0].item() == pytest.approx(math.sqrt(2 * math.pi) / 4)
    torch.testing.assert_close(log_det, slope.log().flatten())
