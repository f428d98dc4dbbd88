import pytest
import torch
from torch.nn import functional as F

from glow.nets import MLP
from tests.small_models import perturb


def test_it_is_its_layers_one_after_the_other() -> None:
    net = perturb(MLP(3, 4, width=5, depth=3))
    x = torch.randn(2, 3)
    hidden = net.first(x)
    for layer in net.hidden:
        hidden = layer(F.relu(hidden))
    torch.testing.assert_close(net(x), net.last(F.relu(hidden)))
    assert len(net.hidden) == 2


def test_it_starts_as_the_constant_0() -> None:
    assert torch.equal(MLP(3, 4)(torch.randn(2, 3)), torch.zeros(2, 4))


def test_labels_shift_the_first_layer() -> None:
    net = perturb(MLP(3, 4, n_classes=2))
    x = torch.randn(1, 3).expand(2, -1)
    first, second = net(x, torch.tensor([0, 1]))
    assert not torch.equal(first, second)


def test_no_hidden_layer_raises() -> None:
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        MLP(3, 4, depth=0)


def test_the_activation_is_a_choice() -> None:
    net = perturb(MLP(3, 4, depth=1, activation=torch.tanh))
    x = torch.randn(2, 3)
    torch.testing.assert_close(net(x), net.last(torch.tanh(net.first(x))))


def test_images_raise() -> None:
    with pytest.raises(ValueError, match=r"an MLP needs vectors \(B,C\), got \(2, 3, 4, 4\)"):
        MLP(3, 4)(torch.zeros(2, 3, 4, 4))
