from typing import Any

import torch
from torch.nn import functional as F

from glow.nets import ResidualNet
from tests.small_models import perturb


def test_it_is_its_layers_one_after_the_other() -> None:
    net = perturb(ResidualNet(3, 4, width=5, n_blocks=2))
    x = torch.randn(2, 3, 6, 4)
    h = net.conv_in(x)
    blocks: Any = net.blocks
    for block in blocks:
        h = h + block.conv_out(F.relu(block.conv_in(F.relu(h))))
    torch.testing.assert_close(net(x), net.conv_out(F.relu(h)))
    assert len(net.blocks) == 2


def test_it_starts_as_the_constant_0_and_its_blocks_as_the_identity() -> None:
    net = ResidualNet(3, 4, width=5)
    assert torch.equal(net(torch.randn(2, 3, 4, 4)), torch.zeros(2, 4, 4, 4))
    h = torch.randn(2, 5, 4, 4)
    assert all(torch.equal(block(h), h) for block in net.blocks)


def test_an_image_does_not_depend_on_the_rest_of_its_batch_in_training() -> None:
    net = perturb(ResidualNet(3, 4, width=5, n_blocks=2)).train()
    x = torch.randn(3, 3, 4, 4)
    torch.testing.assert_close(net(x)[:1], net(x[:1]))


def test_labels_shift_the_first_layer() -> None:
    net = perturb(ResidualNet(3, 4, width=5, n_blocks=1, n_classes=2))
    x = torch.randn(1, 3, 4, 4).expand(2, -1, -1, -1)
    first, second = net(x, torch.tensor([0, 1]))
    assert not torch.equal(first, second)
