"""The mixture of logistics against mpmath, and where float32 would overflow."""

import itertools
from typing import Any

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from glow.bijections import LogisticMixture, TransformCoupling
from glow.bijections.logistic_mixture import logit_of_mixture
from tests.small_models import mlp

TOLERANCES = {torch.float32: 1e-6, torch.float64: 1e-10}


def mixtures(seed: int, n: int, k: int, spread: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-weights, means and log-scales of n mixtures, float64 (n,k)."""
    generator = torch.Generator().manual_seed(seed)
    logits, means, log_scales = torch.randn(3, n, k, generator=generator, dtype=torch.float64)
    return logits.log_softmax(1), spread * means, log_scales / 2


def raw_of(mixture: LogisticMixture, logits: Tensor, means: Tensor, log_scales: Tensor) -> Tensor:
    """Return what a network returns for given mixtures, with s = t = 0, (n,n_raw)."""
    k = mixture.n_components
    rates = torch.linspace(0.5, 1.5, k + 2, dtype=means.dtype)[1:-1]
    affine = torch.zeros(len(means), 2, dtype=means.dtype)
    return torch.cat([affine, logits, means / rates, log_scales], dim=1)


def exact(x: float, *mixture: Tensor) -> tuple[Any, Any]:
    """Return the logit of the CDF, and the log of its slope, to 60 digits."""
    with mpmath.workdps(60):
        z = []
        for log_weight, mean, log_scale in zip(*(p.tolist() for p in mixture), strict=True):
            weight, scale = mpmath.exp(log_weight), mpmath.exp(log_scale)
            z.append((weight, (mpmath.mpf(x) - mean) / scale, scale))
        total = sum(w for w, _, _ in z)
        cdf = sum(w / (1 + mpmath.exp(-u)) for w, u, _ in z) / total
        tail = sum(w / (1 + mpmath.exp(u)) for w, u, _ in z) / total
        slope = sum(w / s / (1 + mpmath.exp(u)) / (1 + mpmath.exp(-u)) for w, u, s in z) / total
        return mpmath.log(cdf / tail), mpmath.log(slope / cdf / tail)


@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize("x", [-40.0, -3.0, 0.1, 2.0, 17.0, 300.0])
def test_logit_and_slope_agree_with_mpmath(k: int, x: float) -> None:
    mixture = mixtures(k, 1, k)
    expected = [float(value) for value in exact(x, *(p[0] for p in mixture))]
    found = logit_of_mixture(torch.tensor([x], dtype=torch.float64), *mixture)
    assert [value.item() for value in found] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_whole_map_agrees_with_mpmath() -> None:
    """CDF, then logit, then the affine map, in that order."""
    mixture = LogisticMixture(3)
    raw = raw_of(mixture, *mixtures(0, 5, 3))
    raw[:, 0], raw[:, 1] = torch.linspace(-2, 2, 5), torch.linspace(3, -1, 5)
    x = torch.linspace(-4, 6, 5, dtype=torch.float64)
    y, log_det = mixture.forward(x[:, None], raw)
    for i in range(5):
        parts = (p[i] for p in mixtures(0, 5, 3))
        logit, log_slope = exact(x[i].item(), *parts)
        s = mpmath.tanh(raw[i, 0].item())
        assert y[i].item() == pytest.approx(float(mpmath.exp(s) * logit + raw[i, 1].item()))
        assert log_det[i].item() == pytest.approx(float(log_slope + s))


@settings(max_examples=25)
@given(st.integers(0, 2**31 - 1), st.sampled_from([1, 2, 5, 32]), st.floats(0, 12))
def test_points_up_to_12_scales_from_every_component_come_back(
    seed: int, k: int, scales: float
) -> None:
    parts = mixtures(seed, 200, k, spread=0.5)
    mixture = LogisticMixture(k)
    _, means, log_scales = parts
    reach = scales * log_scales.exp()
    for x in ((means - reach).amax(1), (means + reach).amin(1)):
        for dtype, tolerance in TOLERANCES.items():
            raw, here = raw_of(mixture, *parts).to(dtype), x[:, None].to(dtype)
            y, log_det = mixture.forward(here, raw)
            again = mixture.inverse(y, raw)
            assert y.isfinite().all()
            assert log_det.isfinite().all()
            assert ((again - here).abs() <= tolerance * here.abs().clamp(min=1)).all()


@settings(max_examples=25)
@given(st.integers(0, 2**31 - 1), st.sampled_from([2, 8]))
def test_float32_roots_are_those_of_float64(seed: int, k: int) -> None:
    """Whatever y is, also where the map is flat between components."""
    mixture = LogisticMixture(k)
    raw = raw_of(mixture, *mixtures(seed, 100, k, spread=20.0)).float()
    y = 30 * torch.randn(100, 1)
    found, expected = mixture.inverse(y, raw), mixture.inverse(y.double(), raw.double())
    assert ((found - expected).abs() <= 1e-6 * expected.abs().clamp(min=1)).all()


def test_nothing_is_infinite() -> None:
    """Not for the narrowest and widest components, the largest inputs, nor in a gradient."""
    mixture = LogisticMixture(3)
    corners = torch.tensor(list(itertools.product([-100.0, 0.0, 100.0], repeat=3)))
    raw = torch.cat([corners[:, :2], corners, 0.1 * corners, corners.flip(1)], dim=1)
    for size in (0.0, 1.0, 1e4, 1e20):
        x = (size * torch.tensor([-1.0, 1.0])).repeat(len(raw))[:, None].requires_grad_()
        given_raw = raw.repeat_interleave(2, 0).requires_grad_()
        y, log_det = mixture.forward(x, given_raw)
        again = mixture.inverse(x, given_raw)
        for out in (y, log_det, again):
            assert out.isfinite().all()
        for gradient in torch.autograd.grad(y.sum() + log_det.sum(), (x, given_raw)):
            assert gradient.isfinite().all()


def test_zeros_are_the_identity() -> None:
    mixture, x = LogisticMixture(5), torch.linspace(-9, 9, 41)[:, None]
    y, log_det = mixture.forward(x, torch.zeros(41, mixture.n_raw))
    torch.testing.assert_close(y, x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(log_det, torch.zeros(41), rtol=0, atol=3e-6)


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.Adamax])
def test_components_that_start_alike_learn_to_differ(
    optimizer: type[torch.optim.Optimizer],
) -> None:
    """A network whose last layer is zero gives all of them the same gradient at first."""
    torch.manual_seed(0)
    x = torch.randn(256, 2) * 0.1
    x[:, 1] = x[:, 1] + 2 * (torch.rand(256) > 0.5) - 1  # two modes
    coupling: Any = TransformCoupling(2, mlp, LogisticMixture(4))
    steps = optimizer(coupling.parameters(), lr=0.03)  # type: ignore[call-arg]
    for _ in range(60):
        y, log_det = coupling(x)
        loss = (y.square().sum(1) / 2 - log_det).mean()
        steps.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(coupling.parameters(), 1.0)
        steps.step()
    raw = coupling.net(x[:, :1])
    means = coupling.element._parameters(raw, x[:, 1:])[3]
    assert means.std(-1).mean() > 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components must be at least 1, got 0"),
        ({"min_log_scale": 20.0}, "min_log_scale must be below 20, got 20.0"),
    ],
)
def test_arguments_out_of_range_raise(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogisticMixture(**options)
