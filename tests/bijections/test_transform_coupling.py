import torch

from glow.bijections import Affine, AffineCoupling, RationalQuadraticSpline, TransformCoupling
from glow.bijections.scale_map import sigmoid
from tests.small_models import net, perturb


def test_with_an_affine_transform_it_is_the_affine_coupling_with_another_shift() -> None:
    coupling = perturb(AffineCoupling(4, net))
    other = TransformCoupling(4, net, Affine(sigmoid))
    other.load_state_dict(coupling.state_dict())
    x = torch.randn(2, 4, 4, 4)
    (y, log_det), (other_y, other_log_det) = coupling(x), other(x)
    assert torch.equal(other_log_det, log_det)
    assert torch.equal(other_y[:, :2], y[:, :2])
    raw = coupling.net(x[:, :2])
    shift, scale = raw[:, 0::2], sigmoid(raw[:, 1::2]).exp()
    torch.testing.assert_close(y[:, 2:] - shift * scale, other_y[:, 2:] - shift)


def test_with_a_spline_it_starts_as_the_identity_and_leaves_the_first_half() -> None:
    coupling = TransformCoupling(4, net, RationalQuadraticSpline())
    x = torch.randn(2, 4, 4, 4)
    torch.testing.assert_close(coupling(x)[0], x)
    y, _ = perturb(coupling)(x)
    assert torch.equal(y[:, :2], x[:, :2])
    assert not torch.equal(y[:, 2:], x[:, 2:])
