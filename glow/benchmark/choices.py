"""Choices that make a Glow fast, each compared with its alternative."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections import ActNorm, ActNormLinear, Bijection, Chain, LULinear
from glow.nets import EdgeConv2d, edge_map
from glow.nets.convolution import convolve, gather

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
        images = torch.randn(batch_size, side, side, half)  # channels last
        hidden = torch.randn(batch_size, side, side, width)
        state = torch.randn(batch_size, side, side, channels).permute(0, 3, 1, 2)
        into, middle = EdgeConv2d(half, width), EdgeConv2d(width, width, 1, edge_indicator=False)
        out = EdgeConv2d(width, channels)
        inner, outer = ActNorm(width), ActNorm(channels)
        convs = [LULinear(channels) for _ in range(n_steps)]
        normalized = ActNormLinear(outer, convs[0])
        for parameter in (into.edge_weight, outer.bias, outer.log_scale, inner.log_scale):
            assert parameter is not None
            nn.init.normal_(parameter, std=0.1)  # at 0 the two ways would hardly differ
        frozen = normalized.frozen()
    n_gathered = images[..., :1].numel()
    return [
        Choice(
            "first 3x3 convolution: patches gathered, then one matrix product",
            _trained(lambda x: _library_conv(x, into), images, into),
            _trained(lambda x: convolve(x, into.weight, _zeros(into)), images, into),
        ),
        Choice(
            "last 3x3 convolution: one matrix product, then scattered",
            _trained(lambda x: _library_conv(x, out), hidden, out),
            _trained(lambda x: convolve(x, out.weight, _zeros(out)), hidden, out),
        ),
        Choice(
            "edge indicator: a map added, instead of one more channel",
            _trained(lambda x: _with_indicator(x, into), images, into),
            _trained(lambda x: convolve(x, into.weight, _edge_map(into, side)), images, into),
        ),
        Choice(
            "ActNorms of the networks: folded into the convolution before",
            _trained(lambda x: _normalized_after(middle(x), inner), hidden, middle, inner),
            _trained(lambda x: middle(x, *inner.scale_and_shift()), hidden, middle, inner),
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
            "patches from F.unfold instead of views",
            lambda: gather(images, 3).view(n_gathered, -1),
            lambda: _unfold(images).view(n_gathered, -1),
            taken=False,
        ),
        Choice(
            "library convolutions in channels-last format",
            _trained(lambda x: _library_conv(x, out), hidden, out),
            _trained(lambda x: _channels_last_conv(x, out), hidden, out),
            taken=False,
        ),
        Choice(
            "matrices of a level's 1x1 convolutions in one batch",
            _trained(lambda _: torch.stack([c.matrix() for c in convs]), state, *convs),
            _trained(lambda _: _matrices(convs), state, *convs),
            taken=False,
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


def _zeros(conv: EdgeConv2d) -> Tensor:
    return conv.weight.new_zeros(conv.out_channels)


def _library_conv(x: Tensor, conv: EdgeConv2d) -> Tensor:
    x = x.permute(0, 3, 1, 2).contiguous()
    return F.conv2d(x, conv.weight, padding=conv.padding).permute(0, 2, 3, 1)


def _channels_last_conv(x: Tensor, conv: EdgeConv2d) -> Tensor:
    weight = conv.weight.contiguous(memory_format=torch.channels_last)
    y = F.conv2d(x.permute(0, 3, 1, 2), weight, padding=conv.padding)
    return y.permute(0, 2, 3, 1)


def _with_indicator(x: Tensor, conv: EdgeConv2d) -> Tensor:
    """Convolve as the reference does: with one more channel, which is 1 in the padding."""
    padded = F.pad(x, (0, 1, 1, 1, 1, 1))
    padded[..., -1] = 1
    padded[:, 1:-1, 1:-1, -1] = 0
    assert conv.edge_weight is not None
    weight = torch.cat([conv.weight, conv.edge_weight], dim=1)
    y = convolve(padded, weight, _zeros(conv))
    return y[:, 1:-1, 1:-1]


def _edge_map(conv: EdgeConv2d, side: int) -> Tensor:
    assert conv.edge_weight is not None
    return edge_map(conv.edge_weight, side, side)


def _normalized_after(x: Tensor, actnorm: ActNorm) -> Tensor:
    y, _ = actnorm(x.permute(0, 3, 1, 2))
    return y.permute(0, 2, 3, 1)


@torch.no_grad()
def _inverted(layer: Bijection, y: Tensor) -> Tensor:
    return layer.inverse(y)


def _unfold(x: Tensor) -> Tensor:
    patches = F.unfold(x.permute(0, 3, 1, 2), 3, padding=1)  # (B, C*9, pixels)
    taps = patches.unflatten(1, (-1, 9)).permute(0, 3, 2, 1)
    return taps.reshape(len(x), *x.shape[1:3], -1)


def _matrices(convs: list[LULinear]) -> Tensor:
    """Build all matrices at once."""
    packed = torch.stack([conv.lu for conv in convs])
    identity = torch.eye(packed.shape[-1], device=packed.device, dtype=packed.dtype)
    lower = packed.tril(-1) + identity
    upper = packed.triu(1) + packed.diagonal(dim1=1, dim2=2).exp().diag_embed()
    rows = torch.stack([conv.rows for conv in convs])
    return torch.take_along_dim(lower @ upper, rows[..., None], dim=1)
