import pytest
import torch
from torch.nn import functional as F

from glow.nets import MADE
from tests.small_models import perturb


@pytest.mark.parametrize("features", [1, 2, 3, 7])
@pytest.mark.parametrize("width", [1, 4, 7, 50])
@pytest.mark.parametrize("depth", [1, 3])
def test_outputs_see_the_features_before_theirs_and_no_other(
    features: int, width: int, depth: int
) -> None:
    net = MADE(features, 2 * features, width=width, depth=depth).double()
    for parameter in net.parameters():
        parameter.data.uniform_(0.1, 1.0)  # so that no unit is off, and no path cancels another
    x = torch.ones(features, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda one: net(one[None])[0], x)
    sees = jacobian.view(features, 2, features) != 0
    allowed = torch.arange(features)[:, None] > torch.arange(features)
    assert not (sees & ~allowed[:, None]).any()
    if width >= features - 1:
        assert torch.equal(sees, allowed[:, None].expand_as(sees))
    # However narrow the network is, its last outputs see every feature but the last.
    if width >= 2:
        assert sees[-1, :, :-1].all()


def test_it_is_its_layers_one_after_the_other() -> None:
    net = perturb(MADE(3, 6, width=5, depth=3, activation=torch.tanh))
    x = torch.randn(2, 3)
    hidden = F.linear(x, net.first.weight * net.first.mask, net.first.bias)
    for layer in net.hidden:
        hidden = layer(torch.tanh(hidden))
    torch.testing.assert_close(net(x), net.last(torch.tanh(hidden)))


def test_its_outputs_start_small_and_random() -> None:
    out = MADE(3, 6)(torch.randn(100, 3))
    assert 0 < out.abs().max() < 1


def test_labels_shift_all_features_but_see_none() -> None:
    net = perturb(MADE(3, 3, n_classes=2))
    x = torch.randn(1, 3).expand(2, -1)
    first, second = net(x, torch.tensor([0, 1]))
    assert (first[1:] != second[1:]).all()


def test_the_masks_are_in_no_checkpoint() -> None:
    assert not any("mask" in name for name in MADE(3, 6).state_dict())


def test_no_hidden_layer_raises() -> None:
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        MADE(3, 6, depth=0)


def test_outputs_that_are_no_multiple_of_the_features_raise() -> None:
    with pytest.raises(ValueError, match="must be a multiple of in_features=3, got 7"):
        MADE(3, 7)
