"""Squeeze: trade space for channels."""

import torch
from einops import rearrange
from torch import Tensor

from glow.bijections.bijection import Bijection, zero_log_det


class Squeeze(Bijection):
    """Move every 2x2 block of pixels into channels: (B,C,H,W) to (B,4C,H/2,W/2).

    Channel ``4c + 2i + j`` of the output holds channel ``c`` of the pixel in row ``i`` and column
    ``j`` of its block. ``log_det`` is 0. Height and width must be even.

    Paper section 3.6; ``squeeze2d`` of the reference.

    >>> x = torch.tensor([[1, 2, 5, 6], [3, 4, 7, 8]]).view(1, 1, 2, 4)
    >>> y, _ = Squeeze()(x)
    >>> y[0, :, 0].tolist()  # four channels of one row and two columns
    [[1, 5], [2, 6], [3, 7], [4, 8]]
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gather each block into channels, which are last in memory."""
        if x.ndim != 4 or x.shape[2] % 2 or x.shape[3] % 2:
            raise ValueError(
                f"squeeze needs images (B,C,H,W) of even height and width, got {tuple(x.shape)}"
            )
        y = rearrange(x, "b c (h i) (w j) -> b (c i j) h w", i=2, j=2)
        return y.contiguous(memory_format=torch.channels_last), zero_log_det(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Spread the channels over 2x2 blocks again."""
        return rearrange(y, "b (c i j) h w -> b c (h i) (w j)", i=2, j=2)
