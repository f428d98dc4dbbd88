import torch

from glow.bijections import ElementwiseAffine
from tests.small_models import perturb


def test_it_starts_as_the_identity() -> None:
    x = torch.randn(5, 2, 3, 3)
    y, log_det = ElementwiseAffine((2, 3, 3))(x)
    assert torch.equal(y, x)
    assert torch.equal(log_det, torch.zeros(5))


def test_every_entry_has_its_scale_and_shift() -> None:
    flow = perturb(ElementwiseAffine((2, 3)))
    x = torch.randn(5, 2, 3)
    assert flow.shift is not None
    torch.testing.assert_close(flow(x)[0], x * flow.log_scale.exp() + flow.shift)
    assert len(list(ElementwiseAffine(3, shift=False).parameters())) == 1
