import torch

from glow.bijections import Affine, AffineCoupling, RationalQuadraticSpline, TransformCoupling
from glow.bijections.scale_map import sigmoid
from tests.small_models import net, perturb


def test_with_an_affine_transform_it_is_the_affine_coupling() -> None:
    coupling = perturb(AffineCoupling(4, net))
    other = TransformCoupling(4, net, Affine(sigmoid))
    other.load_state_dict(coupling.state_dict())
    x = torch.randn(2, 4, 4, 4)
    y, log_det = coupling(x)
    for ours, theirs in zip(other(x), (y, log_det), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(other.inverse(y), coupling.inverse(y))


def test_with_a_spline_it_starts_as_the_identity_and_leaves_the_first_half() -> None:
    coupling = TransformCoupling(4, net, RationalQuadraticSpline())
    x = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(coupling(x)[0], x)
    y, _ = perturb(coupling)(x)
    assert torch.equal(y[:, :2], x[:, :2])
    assert not torch.equal(y[:, 2:], x[:, 2:])
