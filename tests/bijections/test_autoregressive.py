import torch
from torch import nn

from glow.bijections import Affine, MaskedAutoregressive, RationalQuadraticSpline, Transform
from glow.nets import MADE
from tests.small_models import perturb

TRANSFORMS: list[Transform] = [Affine(), RationalQuadraticSpline()]


def test_the_jacobian_is_triangular_with_a_positive_diagonal() -> None:
    for transform in TRANSFORMS:
        flow = perturb(MaskedAutoregressive(5, MADE, transform).double(), 0.3)
        x = torch.randn(5, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(lambda one: flow(one[None])[0][0], x)  # noqa: B023
        assert torch.equal(jacobian.triu(1), torch.zeros_like(jacobian))
        assert (jacobian.tril(-1).abs().sum(0)[:-1] > 0).all()
        assert (jacobian.diagonal() > 0).all()


def test_it_starts_near_the_identity() -> None:
    x = torch.randn(100, 5)
    for transform in TRANSFORMS:
        y, log_det = MaskedAutoregressive(5, MADE, transform)(x)
        assert 0 < (y - x).square().mean().sqrt() < 0.3
        assert log_det.square().mean().sqrt() < 1


def test_it_is_the_conditional_factorization_written_out() -> None:
    flow = perturb(MaskedAutoregressive(3, MADE).double(), 0.3)
    x = torch.randn(1, 3, dtype=torch.float64)
    y, log_det = flow(x)
    terms = []
    for i in range(3):
        raw = flow.condition(torch.cat([x[:, :i], torch.randn(1, 3 - i).double()], dim=1))
        shift, log_scale = raw[0, 2 * i], 2 * torch.tanh(raw[0, 2 * i + 1] / 2)
        torch.testing.assert_close(y[0, i], x[0, i] * log_scale.exp() + shift)
        terms.append(log_scale)
    torch.testing.assert_close(log_det[0], torch.stack(terms).sum())


def test_only_the_network_runs_in_lower_precision() -> None:
    flow = perturb(MaskedAutoregressive(4, MADE))
    seen: list[torch.dtype] = []
    assert isinstance(flow.net, nn.Module)
    flow.net.register_forward_hook(lambda *args: seen.append(args[2].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, log_det = flow(torch.randn(2, 4))
        x = flow.inverse(y)
    assert set(seen) == {torch.bfloat16}
    assert y.dtype == log_det.dtype == x.dtype == torch.float32


def test_an_unknown_feature_that_overflows_does_not_reach_the_ones_before_it() -> None:
    class Steep(Transform):
        """Divide by a scale that underflows for all but the first feature."""

        n_raw = 1

        def forward(self, x: torch.Tensor, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x * raw.exp(), raw.sum(1)

        def inverse(self, y: torch.Tensor, raw: torch.Tensor) -> torch.Tensor:
            return y / raw.exp()

    flow = MaskedAutoregressive(3, MADE, Steep())
    assert isinstance(flow.net, MADE)
    flow.net.last.weight.data.zero_()
    flow.net.last.bias.data = torch.tensor([0.5, 0.0, -200.0])
    x = flow.inverse(torch.ones(1, 3))
    torch.testing.assert_close(x[:, :2], torch.tensor([[-0.5, 0.0]]).exp())
    assert x[0, 2] == torch.inf
