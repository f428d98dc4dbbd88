import math

import torch
from hypothesis import example, given
from hypothesis import strategies as st

from glow.bijections import Radial
from tests.small_models import perturb


def radial(raw_alpha: float, raw_s: float) -> Radial:
    flow = Radial(3).double()
    flow.center.data = torch.tensor([0.5, -0.25, 1.0], dtype=torch.float64)
    flow.raw_alpha.data.fill_(raw_alpha)
    flow.raw_s.data.fill_(raw_s)
    return flow


def test_it_is_the_formula_of_the_paper() -> None:
    flow = perturb(Radial(3).double(), 1.0)
    x = torch.randn(5, 3, dtype=torch.float64)
    y, log_det = flow(x)
    alpha, s = flow.alpha_and_s()
    beta, r = s - alpha, (x - flow.center).norm(dim=1)
    h, h_prime = 1 / (alpha + r), -1 / (alpha + r) ** 2
    torch.testing.assert_close(y, x + (beta * h)[:, None] * (x - flow.center))
    expected = 2 * (1 + beta * h).log() + (1 + beta * h + beta * h_prime * r).log()
    torch.testing.assert_close(log_det, expected)


def test_it_starts_as_the_identity() -> None:
    x = torch.randn(5, 3)
    y, log_det = Radial(3)(x)
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(log_det, torch.zeros(5))


def test_the_center_stays_where_it_is() -> None:
    flow = radial(-1.0, 2.0)
    center = flow.center.detach()[None]
    y, log_det = flow(center)
    torch.testing.assert_close(y, center)
    torch.testing.assert_close(flow.inverse(y), center)
    alpha, s = flow.alpha_and_s()
    torch.testing.assert_close(log_det, 3 * (s / alpha).log()[None])


@given(st.floats(-200, 200), st.floats(-200, 200), st.floats(-(2.0**50), 2.0**50, width=32))
@example(-200.0, 200.0, 0.5)  # the largest and the smallest stretch at the center
@example(200.0, -200.0, 0.5)
@example(-200.0, -200.0, 0.5)
def test_it_is_invertible_whatever_the_parameters_are(
    raw_alpha: float, raw_s: float, x: float
) -> None:
    flow = radial(raw_alpha, raw_s).float()
    with torch.no_grad():
        y, log_det = flow(torch.tensor([[x, 0.0, 1.0], [0.5, -0.25, 1.0]]))
    assert y.isfinite().all()
    assert log_det.isfinite().all()


@given(st.floats(-8, 8), st.floats(-8, 8), st.floats(-100, 100, width=32))
def test_float32_agrees_with_float64(raw_alpha: float, raw_s: float, x: float) -> None:
    exact, rounded = radial(raw_alpha, raw_s), radial(raw_alpha, raw_s).float()
    with torch.no_grad():
        point = torch.tensor([[x, 0.0, 1.0]])
        for ours, theirs in zip(rounded(point), exact(point.double()), strict=True):
            torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)
        found, expected = rounded.inverse(point), exact.inverse(point.double())
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_far_from_the_center_it_is_a_translation() -> None:
    flow = radial(0.0, 2.0).float()
    x = torch.tensor([[1e15, 0.0, 0.0]])
    y, log_det = flow(x)
    torch.testing.assert_close(y, x)
    assert math.isclose(log_det.item(), 0.0, abs_tol=1e-6)
