"""Two sets of positions, as two halves of the channels."""

from typing import Literal, get_args

import torch
from torch import Tensor

from glow.bijections.bijection import Bijection, zero_log_det

Pattern = Literal["checkerboard", "columns", "rows"]


class Positions(Bijection):
    """Move one half of the positions into the first half of the channels: (B,C,H,W) to the same.

    A coupling that follows transforms the other half of the positions. The C channels of a position
    become those of two positions with C/2 channels, so the network of such a coupling sees as many
    positions, and channels, as that of a coupling of channels. ``log_det`` is 0. The spatial
    couplings of Jet; Kolesnikov et al. 2024.

    Args:
        height: H.
        width: W.
        pattern: Which positions come first: those with an even sum of row and column, those in even
            columns, or those in even rows.
        odd: Whether the other positions come first.

    Raises:
        ValueError: If the pattern does not halve the positions.
    """

    order: Tensor

    def __init__(
        self, height: int, width: int, pattern: Pattern = "checkerboard", *, odd: bool = False
    ) -> None:
        super().__init__()
        if pattern not in get_args(Pattern):
            raise ValueError(f"pattern must be {', '.join(get_args(Pattern))}, got {pattern}")
        row = torch.arange(height)[:, None].expand(height, width)
        column = torch.arange(width).expand(height, width)
        number = {"checkerboard": row + column, "columns": column, "rows": row}[pattern]
        if {"checkerboard": height * width, "columns": width, "rows": height}[pattern] % 2:
            raise ValueError(
                f"a pattern must halve the positions, but {pattern} do not halve {height}x{width}"
            )
        later = ((number + odd) % 2).flatten()
        # The sizes determine it, so no checkpoint needs it.
        self.register_buffer("order", later.argsort(stable=True), persistent=False)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gather the positions (B,C,H,W)."""
        if x.ndim != 4 or x.shape[1] % 2 or x.shape[2] * x.shape[3] != len(self.order):
            raise ValueError(
                f"expected an even number of channels at {len(self.order)} positions, got "
                f"{tuple(x.shape)}"
            )
        tokens = x.flatten(2).mT[:, self.order]  # (B,H W,C)
        halves = tokens.unflatten(1, (2, -1)).unflatten(3, (2, -1))  # (B,2,H W/2,2,C/2)
        y = halves.permute(0, 1, 4, 2, 3).reshape(x.shape)
        return y, zero_log_det(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Put them back."""
        halves = y.reshape(len(y), 2, y.shape[1] // 2, -1, 2)  # (B,2,C/2,H W/2,2)
        tokens = halves.permute(0, 1, 3, 4, 2).reshape(len(y), len(self.order), y.shape[1])
        return tokens[:, self.order.argsort()].mT.reshape(y.shape)
