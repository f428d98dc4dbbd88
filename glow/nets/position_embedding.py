"""Learned embeddings of positions."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PositionEmbedding(nn.Module):
    """One vector for each position of a grid, interpolated between them for images of other sizes.

    Args:
        width: The number of features.
        grid: Height and width of the grid.
        std: The standard deviation of the initial values.

    Raises:
        ValueError: If the grid is empty.
    """

    def __init__(self, width: int, grid: Sequence[int], std: float) -> None:
        super().__init__()
        if len(grid) != 2 or min(grid) < 1:
            raise ValueError(f"grid must be a height and a width of at least 1, got {list(grid)}")
        self.values = nn.Parameter(std * torch.randn(width, *grid))

    def forward(self, height: int, width: int) -> Tensor:
        """Return the embeddings (F,H,W) of an image.

        Args:
            height: H.
            width: W.
        """
        if self.values.shape[1:] == (height, width):
            return self.values
        rows = _interpolation(height, self.values.shape[1], self.values)
        columns = _interpolation(width, self.values.shape[2], self.values)
        return rows @ self.values @ columns.mT


def _interpolation(n: int, n_grid: int, like: Tensor) -> Tensor:
    """Return the weights (n,n_grid) of linear interpolation between the cells of a line."""
    places = (torch.arange(n, dtype=like.dtype, device=like.device) + 0.5) * n_grid / n - 0.5
    cells = torch.arange(n_grid, dtype=like.dtype, device=like.device)
    return (1 - (places.clamp(0, n_grid - 1)[:, None] - cells).abs()).clamp(min=0)
