from typing import Any

import pytest
import torch
from torch.nn import functional as F

from glow.nets import GatedAttentionNet
from glow.nets.activation import concat_elu
from tests.small_models import gated, perturb


def attention(x: torch.Tensor, n_heads: int) -> torch.Tensor:
    """Written out: softmax(q k / sqrt(d)) v, for each head."""
    q, k, v = (part.unflatten(1, (n_heads, -1)).flatten(3) for part in x.chunk(3, dim=1))
    weights = torch.einsum("bhdn,bhdm->bhnm", q, k).div(q.shape[2] ** 0.5).softmax(-1)
    return torch.einsum("bhnm,bhdm->bhdn", weights, v).flatten(1, 2).unflatten(2, x.shape[2:])


@pytest.mark.parametrize("elu", [False, True])
def test_it_is_its_layers_one_after_the_other(*, elu: bool) -> None:
    options = {"width": 4, "n_blocks": 2, "n_heads": 2, "grid": (3, 4), "elu": elu, "gain": 0.1}
    net: Any = perturb(GatedAttentionNet(3, 5, **options).double(), 0.3)  # type: ignore[arg-type]
    x = torch.randn(2, 3, 3, 4, dtype=torch.float64)
    h = net.conv_in(x)
    for number in range(2):
        conv, attend = net.convs[number], net.attentions[number]
        a, b = conv.conv_out(concat_elu(conv.conv_in(concat_elu(h)))).chunk(2, dim=1)
        h = net.norms[2 * number](h + a * b.sigmoid())
        mixed = attention(attend.project(h + net.positions.values), 2)
        a, b = attend.conv_out(mixed).chunk(2, dim=1)
        h = net.norms[2 * number + 1](h + a * b.sigmoid())
    torch.testing.assert_close(h.mean(1), net.norms[-1].bias.mean() + 0 * h[:, 0], rtol=1, atol=1)
    out = net.conv_out(F.elu(torch.cat([h, -h], 1)) if elu else h) * net.gain.view(5, 1, 1)
    torch.testing.assert_close(net(x), out)


def test_it_starts_as_the_constant_0_unless_it_has_a_gain() -> None:
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(gated(3, 4)(x), torch.zeros(2, 4, 4, 4))
    assert 0.03 < gated(3, 400, gain=0.1)(x).std() < 0.3


def test_positions_are_interpolated_for_images_of_other_sizes() -> None:
    positions: Any = gated(3, 4).positions
    assert torch.equal(positions(3, 2), positions.values)
    positions.values.data = torch.arange(6.0).view(1, 3, 2).expand(4, 3, 2).clone()
    larger = positions(6, 4)
    expected = F.interpolate(positions.values[None], size=(6, 4), mode="bilinear")[0]
    torch.testing.assert_close(larger, expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 5}, "width must be a multiple of n_heads=2, got 5"),
        ({"n_heads": 0}, "width must be a multiple of n_heads=0, got 4"),
        ({"grid": (0, 3)}, r"grid must be a height and a width of at least 1, got \[0, 3\]"),
        ({"n_classes": 2, "context_channels": 3}, "not both: got n_classes=2 and context_chan"),
    ],
)
def test_numbers_that_do_not_fit_raise(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gated(3, 4, **options)
