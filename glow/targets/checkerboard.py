"""The squares of one color of a checkerboard."""

import math

import torch
from torch import Tensor

from glow.targets.target import Distribution


class Checkerboard(Distribution):
    """Uniform on the 8 dark squares, of side 2, of a board of 4 x 4 squares.

    The density is 1/32 inside and 0 outside, and the entropy log 32, exactly.
    """

    entropy = math.log(32)

    def log_density(self, x: Tensor) -> Tensor:
        """Return -log 32 on the dark squares, and minus infinity elsewhere."""
        square = (x / 2).floor()
        dark = (square.sum(1) % 2 == 0) & (x.abs() < 4).all(1)
        return torch.where(dark, -self.entropy, -math.inf).to(x)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw a column, one of its two dark squares, and a place in it."""
        column = torch.randint(4, (n,), generator=generator)
        row = 2 * torch.randint(2, (n,), generator=generator) + column % 2
        corner = 2.0 * torch.stack([column, row], dim=1) - 4
        return corner + 2 * torch.rand(n, 2, generator=generator)
