import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from glow.bijections.scale_map import floored_sigmoid, sigmoid, tanh_exp

raws = st.floats(-1e4, 1e4)


@given(raws)
def test_the_sigmoid_is_the_reference_s(raw: float) -> None:
    x = torch.tensor(raw, dtype=torch.float64)
    log_scale = sigmoid(x).item()
    assert log_scale <= 0
    assert math.isfinite(log_scale)
    expected = torch.sigmoid(x + 2).item()
    assert math.isclose(math.exp(log_scale), expected, rel_tol=1e-9, abs_tol=1e-300)


@given(raws, st.floats(0.01, 0.9))
def test_the_floor_holds(raw: float, floor: float) -> None:
    scale = floored_sigmoid(torch.tensor(raw, dtype=torch.float64), floor).exp().item()
    assert floor * (1 - 1e-9) <= scale <= 1 + 1e-9


@given(raws, st.floats(0.1, 5.0))
def test_the_bound_holds_and_the_map_is_the_identity_near_zero(raw: float, bound: float) -> None:
    assert abs(tanh_exp(torch.tensor(raw, dtype=torch.float64), bound).item()) <= bound
    near = tanh_exp(torch.tensor(1e-4, dtype=torch.float64), bound).item()
    assert math.isclose(near, 1e-4, rel_tol=1e-4)
