"""Squeeze: trade space for channels."""

import torch
from einops import rearrange
from torch import Tensor

from glow.bijections.bijection import Bijection, zero_log_det


class Squeeze(Bijection):
    """Move every block of f x f pixels into channels: (B,C,H,W) to (B,f^2 C,H/f,W/f).

    Channel ``f^2 c + f i + j`` of the output holds channel ``c`` of the pixel in row ``i`` and
    column ``j`` of its block. ``log_det`` is 0. Height and width must be multiples of f.

    Paper section 3.6; ``squeeze2d`` of the reference.

    Args:
        factor: The side of a block, f; 2 in the paper.

    Raises:
        ValueError: If the factor is less than 1.

    >>> x = torch.tensor([[1, 2, 5, 6], [3, 4, 7, 8]]).view(1, 1, 2, 4)
    >>> y, _ = Squeeze()(x)
    >>> y[0, :, 0].tolist()  # four channels of one row and two columns
    [[1, 5], [2, 6], [3, 7], [4, 8]]
    """

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        if factor < 1:
            raise ValueError(f"factor must be at least 1, got {factor}")
        self.factor = factor

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gather each block into channels, which are last in memory."""
        f = self.factor
        if x.ndim != 4 or x.shape[2] % f or x.shape[3] % f:
            sides = "even height and width" if f == 2 else f"sides that {f} divides"
            raise ValueError(f"squeeze needs images (B,C,H,W) of {sides}, got {tuple(x.shape)}")
        y = rearrange(x, "b c (h i) (w j) -> b (c i j) h w", i=f, j=f)
        return y.contiguous(memory_format=torch.channels_last), zero_log_det(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Spread the channels over 2x2 blocks again."""
        f = self.factor
        return rearrange(y, "b (c i j) h w -> b c (h i) (w j)", i=f, j=f)
