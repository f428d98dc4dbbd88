"""Choices that make a Glow fast, each compared with its alternative."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections import ActNorm, ActNormLinear, Bijection, Chain, LULinear
from glow.nets import EdgeConv2d, edge_map
from glow.nets.edge_conv import convolve

Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Choice:
    """Two ways to compute the same.

    Args:
        name: What is chosen.
        plain: The plain way.
        chosen: The way that might be better.
        taken: Whether the layers do it the second way.
    """

    name: str
    plain: Run
    chosen: Run
    taken: bool = True


def choices(
    *, channels: int, width: int, side: int, batch_size: int, n_steps: int, device: str
) -> list[Choice]:
    """Return the choices at the size of one level.

    Each way runs forward and backward, except the inverse, and returns its result.

    Args:
        channels: The number of channels of the level.
        width: The width of the networks.
        side: The height and width of the level.
        batch_size: The number of images.
        n_steps: The number of steps, K.
        device: Where to run.
    """
    with torch.device(device):
        half = channels // 2
        images = _channels_last(torch.randn(batch_size, half, side, side))
        hidden = _channels_last(torch.randn(batch_size, width, side, side))
        state = _channels_last(torch.randn(batch_size, channels, side, side))
        into, middle = EdgeConv2d(half, width), EdgeConv2d(width, width, 1, edge_indicator=False)
        out = EdgeConv2d(width, channels)
        inner, outer = ActNorm(width), ActNorm(channels)
        convs = [LULinear(channels) for _ in range(n_steps)]
        normalized = ActNormLinear(outer, convs[0])
        for parameter in (into.edge_weight, outer.bias, outer.log_scale, inner.log_scale):
            assert parameter is not None
            nn.init.normal_(parameter, std=0.1)  # at 0 the two ways would hardly differ
        frozen = normalized.frozen()
    return [
        Choice(
            "first 3x3 convolution: channels last in memory",
            _trained(lambda x: _plain_conv(x.contiguous(), into), images, into),
            _trained(lambda x: _plain_conv(x, into), images, into),
        ),
        Choice(
            "last 3x3 convolution: channels last in memory",
            _trained(lambda x: _plain_conv(x.contiguous(), out), hidden, out),
            _trained(lambda x: _plain_conv(x, out), hidden, out),
        ),
        Choice(
            "edge indicator: a map added, instead of one more channel",
            _trained(lambda x: _with_indicator(x, into), images, into),
            _trained(lambda x: convolve(x, into.weight, _edge_map(into, side)), images, into),
        ),
        Choice(
            "ActNorms of the networks: folded into the convolution before",
            _trained(lambda x: inner(middle(x))[0], hidden, middle, inner),
            _trained(lambda x: _normalized_with(x, middle, inner), hidden, middle, inner),
        ),
        Choice(
            "ActNorm of the step: folded into the 1x1 convolution",
            _trained(lambda x: Chain(outer, convs[0])(x)[0], state, outer, convs[0]),
            _trained(lambda x: normalized(x)[0], state, outer, convs[0]),
        ),
        Choice(
            "inverse of the 1x1 convolution: frozen",
            lambda: _inverted(normalized, state),
            lambda: _inverted(frozen, state),
        ),
        Choice(
            "matrices of a level's 1x1 convolutions in one batch",
            _trained(lambda _: torch.stack([c.matrix() for c in convs]), state, *convs),
            _trained(lambda _: LULinear.stack(convs).matrix, state, *convs),
        ),
    ]


def _trained(compute: Callable[[Tensor], Tensor], x: Tensor, *modules: nn.Module) -> Run:
    """Return a function that runs a computation and its backward pass."""

    def run() -> Tensor:
        for module in modules:
            module.zero_grad()
        y = compute(x.detach().requires_grad_())
        y.sum().backward()
        return y.detach()

    return run


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)


def _plain_conv(x: Tensor, conv: EdgeConv2d) -> Tensor:
    return F.conv2d(x, conv.weight, padding=conv.padding)


def _with_indicator(x: Tensor, conv: EdgeConv2d) -> Tensor:
    """Convolve as the reference does: with one more channel, which is 1 in the padding."""
    padded = F.pad(x, (1, 1, 1, 1))
    indicator = F.pad(torch.zeros_like(x[:, :1]), (1, 1, 1, 1), value=1.0)
    assert conv.edge_weight is not None
    weight = torch.cat([conv.weight, conv.edge_weight], dim=1)
    return F.conv2d(_channels_last(torch.cat([padded, indicator], dim=1)), weight)


def _edge_map(conv: EdgeConv2d, side: int) -> Tensor:
    assert conv.edge_weight is not None
    return edge_map(conv.edge_weight, side, side)


def _normalized_with(x: Tensor, conv: EdgeConv2d, actnorm: ActNorm) -> Tensor:
    scale, shift = ActNorm.stack([actnorm]).scale_and_shift()
    [weight], [offset] = EdgeConv2d.stack([conv]).then(scale, shift).folded(tuple(x.shape[2:]))
    return convolve(x, weight, offset)


@torch.no_grad()
def _inverted(layer: Bijection, y: Tensor) -> Tensor:
    return layer.inverse(y)
