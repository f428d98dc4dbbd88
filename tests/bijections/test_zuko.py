"""Log-densities agree with those of another library, with the same weights."""

import math
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glow.bijections import (
    Affine,
    ContinuousFlow,
    Inverse,
    MaskedAutoregressive,
    RationalQuadraticSpline,
    Transform,
)
from glow.models import Density, StandardNormal
from glow.nets import MADE
from tests.small_models import perturb

zuko: Any = pytest.importorskip("zuko")

FEATURES, WIDTH = 4, 16


def softclip(raw: Tensor, bound: float = -math.log(1e-3)) -> Tensor:
    return raw / (1 + (raw / bound).abs())


class ClippedSpline(RationalQuadraticSpline):
    """Their spline: clipped log-widths and log-slopes, and no other minimum."""

    def __init__(self) -> None:
        super().__init__(n_bins=8, bound=5.0, min_width=1e-12, min_slope=1e-12)

    def _clipped(self, raw: Tensor) -> Tensor:
        parts = raw.unflatten(1, (-1, self.n_raw)).split([8, 8, 7], dim=-1)
        widths, heights = (softclip(part, -math.log(1e-3) / 2) for part in parts[:2])
        slopes = softclip(parts[2]).exp().expm1().log() - math.log(math.e - 1)
        return torch.cat([widths, heights, slopes], dim=-1).flatten(1)

    def forward(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x, self._clipped(raw))

    def inverse(self, y: Tensor, raw: Tensor) -> Tensor:
        return super().inverse(y, self._clipped(raw))


def theirs_and_ours(name: str, transform: Transform) -> tuple[Any, Density]:
    """Return a flow of one layer, and ours with its weights and masks."""
    make = getattr(zuko.flows, name)
    theirs = make(FEATURES, transforms=1, hidden_features=(WIDTH, WIDTH)).double()
    perturb(theirs, 0.5)
    flow = MaskedAutoregressive(FEATURES, partial(MADE, width=WIDTH), transform).double()
    assert isinstance(flow.net, MADE)
    linears = [flow.net.first, *flow.net.hidden, flow.net.last]
    others = [m for m in theirs.modules() if isinstance(m, nn.Linear)]
    for ours, other in zip(linears, others, strict=True):
        ours.load_state_dict({"weight": other.weight, "bias": other.bias})
        ours.mask = other.mask
    return theirs, Density(StandardNormal(FEATURES), flow).double()


@pytest.mark.parametrize(
    ("name", "transform"), [("MAF", Affine(softclip)), ("NSF", ClippedSpline())]
)
def test_autoregressive_flows_agree(name: str, transform: Transform) -> None:
    theirs, ours = theirs_and_ours(name, transform)
    x = 2 * torch.randn(50, FEATURES, dtype=torch.float64)
    torch.testing.assert_close(ours.log_prob(x), theirs().log_prob(x), rtol=0, atol=1e-5)
    z, _ = ours.flow(x)
    torch.testing.assert_close(z, theirs().transform(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(theirs().transform(ours.flow.inverse(z)), z, rtol=0, atol=1e-5)


def test_inverse_autoregressive_flows_agree() -> None:
    theirs, maf = theirs_and_ours("MAF", Affine(softclip))
    ours = Density(maf.base, Inverse(maf.flow))
    x, log_prob = ours.rsample_and_log_prob(20, generator=torch.Generator().manual_seed(3))
    z, log_det = theirs().transform.inv.call_and_ladj(x)
    torch.testing.assert_close(ours.log_prob(x), log_prob, rtol=0, atol=1e-5)
    torch.testing.assert_close(maf.base.log_prob(z) + log_det, log_prob, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_continuous_flows_agree() -> None:
    theirs = perturb(zuko.flows.CNF(FEATURES, hidden_features=(WIDTH,)).double(), 0.2)
    layer = theirs.transform
    layer.atol = layer.rtol = 1e-9

    class Field(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
            v: Tensor = self.layer.f(x[0, -1], x[:, :-1])
            return v

    flow = ContinuousFlow(FEATURES, Field, tolerance=1e-9)
    ours = Density(StandardNormal(FEATURES), flow).double()
    x = torch.randn(10, FEATURES, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs().log_prob(x)
        torch.testing.assert_close(ours.log_prob(x), expected, rtol=0, atol=1e-5)
