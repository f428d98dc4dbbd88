from typing import Any

import torch
from torch import nn

from tests.small_models import perturb, vit


def test_it_agrees_with_the_encoder_of_the_library() -> None:
    net: Any = perturb(vit(3, 5).double(), 0.3)
    x = torch.randn(2, 3, 3, 2, dtype=torch.float64)
    layer = nn.TransformerEncoderLayer(
        4, 2, 16, 0.0, nn.GELU("tanh"), batch_first=True, norm_first=True
    ).double()
    block = net.blocks[0]
    pairs = {
        "self_attn.in_proj_weight": block.project.weight,
        "self_attn.in_proj_bias": block.project.bias,
        "self_attn.out_proj.weight": block.mix.weight,
        "self_attn.out_proj.bias": block.mix.bias,
    }
    others = {"linear1": "up", "linear2": "down", "norm1": "norm_attention", "norm2": "norm_mlp"}
    for theirs, ours in others.items():
        part = getattr(block, ours)
        pairs |= {f"{theirs}.weight": part.weight, f"{theirs}.bias": part.bias}
    layer.load_state_dict(pairs)
    tokens = net.first(x.flatten(2).mT) + net.positions.values.flatten(1).mT
    expected = net.last(net.norm(layer(tokens))).mT.view(2, 5, 3, 2)
    torch.testing.assert_close(net(x), expected)


def test_it_starts_as_the_constant_0() -> None:
    assert torch.equal(vit(3, 4)(torch.randn(2, 3, 4, 4)), torch.zeros(2, 4, 4, 4))


def test_labels_and_features_reach_the_tokens() -> None:
    x = torch.randn(1, 3, 3, 2).expand(2, -1, -1, -1)
    first, second = perturb(vit(3, 4, n_classes=2))(x, torch.tensor([0, 1]))
    assert not torch.equal(first, second)
    features = torch.zeros(2, 1, 3, 2)
    features[1, :, 0, 0] = 1
    first, second = perturb(vit(3, 4, context_channels=1))(x, features)
    assert not torch.equal(first, second)
