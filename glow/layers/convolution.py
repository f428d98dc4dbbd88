"""Convolution as one matrix product."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Map = Callable[[Tensor, int], Tensor]


def convolve(x: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
    """Convolve x, zero-padded, with weight (O,C,k,k), k odd, and add an offset (O) or (H,W,O).

    Channels come last: (B,H,W,C) to (B,H,W,O). All k^2 taps are one product of a matrix with one
    row a pixel. Towards more channels, the patches of x are gathered before it; towards fewer, what
    it says of a patch is scattered after it. That is faster than the libraries' convolutions where
    one side is as narrow as in a coupling network.
    """
    out_channels, in_channels, size, _ = weight.shape
    if in_channels > out_channels and size > 1:
        taps = weight.flip(2, 3).permute(1, 2, 3, 0).flatten(1)
        return _Linear.apply(x @ taps, size, scatter, gather) + offset
    patches = x if size == 1 else _Linear.apply(x, size, gather, scatter)
    return (patches @ weight.permute(2, 3, 1, 0).flatten(0, 2)).add_(offset)


def gather(x: Tensor, size: int) -> Tensor:
    """Return what lies around every pixel: (B,H,W,C) to (B,H,W,size*size*C).

    This is ``F.unfold`` for channels that come last, which on a CPU takes it 2 to 4 times as long.
    """
    margin = size // 2
    padded = F.pad(x, (0, 0, margin, margin, margin, margin))
    patches = padded.unfold(1, size, 1).unfold(2, size, 1)  # (B,H,W,C,i,j)
    return patches.permute(0, 1, 2, 4, 5, 3).flatten(3)


def scatter(patches: Tensor, size: int) -> Tensor:
    """Add up what every pixel says of those around it: (B,H,W,size*size*C) to (B,H,W,C).

    The adjoint of ``gather``, in float32 or wider.
    """
    if torch.compiler.is_compiling():
        return _scatter_as_a_sum(patches, size)
    batch, height, width, columns = patches.shape
    margin = size // 2
    dtype = torch.promote_types(patches.dtype, torch.float32)
    padded = patches.new_zeros(
        batch, height + 2 * margin, width + 2 * margin, columns // size**2, dtype=dtype
    )
    for tap, values in enumerate(patches.chunk(size**2, dim=3)):
        i, j = divmod(tap, size)
        padded[:, i : i + height, j : j + width] += values
    return padded[:, margin : margin + height, margin : margin + width]


def _scatter_as_a_sum(patches: Tensor, size: int) -> Tensor:
    """Do the same without a change in place.

    A compiler makes one loop of this, and of those changes an expression that grows with 2^taps.
    """
    height, width = patches.shape[1:3]
    margin = size // 2
    dtype = torch.promote_types(patches.dtype, torch.float32)
    padded = F.pad(patches, (0, 0, margin, margin, margin, margin)).to(dtype)
    total: Tensor | int = 0
    for tap, values in enumerate(padded.chunk(size**2, dim=3)):
        top, left = (2 * margin - place for place in divmod(tap, size))
        total = total + values[:, top : top + height, left : left + width]
    assert isinstance(total, Tensor)
    return total


class _Linear(torch.autograd.Function):
    """A linear map, given with its adjoint, which autograd would else find in many more steps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, function: Map, adjoint: Map) -> Tensor:
        ctx.backwards, ctx.dtype = (size, adjoint, function), x.dtype
        return function(x, size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _Linear.apply(gradient, *ctx.backwards).to(ctx.dtype), None, None, None
