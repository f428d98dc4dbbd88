"""Convolution as a single matrix product."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Map = Callable[[Tensor, int], Tensor]


def convolve(x: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
    """Convolve x with zero padding, and add an offset.

    All k * k taps are one product of a matrix that has one row per pixel. Towards more channels the
    patches of x are gathered before the product; towards fewer, its results are scattered after it.
    This is faster than library convolutions when one side is as narrow as in a coupling network.

    Args:
        x: Images with channels last, (B,H,W,C).
        weight: The kernel (O,C,k,k), k odd.
        offset: What is added, (O,) or (H,W,O).

    Returns:
        Images (B,H,W,O).
    """
    out_channels, in_channels, size, _ = weight.shape
    if in_channels > out_channels and size > 1:
        taps = weight.flip(2, 3).permute(1, 2, 3, 0).flatten(1)
        return _Linear.apply(x @ taps, size, scatter, gather) + offset
    patches = x if size == 1 else _Linear.apply(x, size, gather, scatter)
    return (patches @ weight.permute(2, 3, 1, 0).flatten(0, 2)).add_(offset)


def gather(x: Tensor, size: int) -> Tensor:
    """Return the patch around every pixel: (B,H,W,C) to (B,H,W,size*size*C).

    This is ``F.unfold`` with channels last; on a CPU ``F.unfold`` takes 2 to 4 times as long.
    """
    margin = size // 2
    padded = F.pad(x, (0, 0, margin, margin, margin, margin))
    patches = padded.unfold(1, size, 1).unfold(2, size, 1)  # (B,H,W,C,i,j)
    return patches.permute(0, 1, 2, 4, 5, 3).flatten(3)


def scatter(patches: Tensor, size: int) -> Tensor:
    """Add up patches where they overlap: (B,H,W,size*size*C) to (B,H,W,C).

    The adjoint of ``gather``, in float32 or wider.
    """
    if torch.compiler.is_compiling():
        return _scatter_out_of_place(patches, size)
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


def _scatter_out_of_place(patches: Tensor, size: int) -> Tensor:
    """Do the same without in-place operations.

    A compiler turns this into one loop, and in-place additions into an expression that doubles with
    every tap.
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
    """A linear map, given with its adjoint, which autograd would compute in many more steps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, function: Map, adjoint: Map) -> Tensor:
        ctx.backwards, ctx.dtype = (size, adjoint, function), x.dtype
        return function(x, size)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _Linear.apply(gradient, *ctx.backwards).to(ctx.dtype), None, None, None
