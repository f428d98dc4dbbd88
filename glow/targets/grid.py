"""A square of the plane, cut into cells: for integrals, and for pictures of densities."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 2_000  # points at a time


@dataclass(frozen=True)
class Grid:
    """The square [-bound, bound]^2, cut into n x n cells.

    Args:
        bound: Half the side of the square.
        n: The number of cells along a side.
    """

    bound: float
    n: int

    @property
    def axis(self) -> Tensor:
        """The coordinates of the middles of the cells, float64 (n,)."""
        return ((torch.arange(self.n, dtype=torch.float64) + 0.5) / self.n * 2 - 1) * self.bound

    @property
    def area(self) -> float:
        """The area of a cell."""
        return (2 * self.bound / self.n) ** 2

    @torch.no_grad()
    def evaluate(
        self, function: Callable[[Tensor], Tensor], dtype: torch.dtype = torch.float64
    ) -> Tensor:
        """Evaluate a function at the middle of every cell.

        Args:
            function: From points (B,2) to values (B,).
            dtype: The precision of the points.

        Returns:
            Values (n,n): the first axis follows x_1, the second x_2.
        """
        points = torch.cartesian_prod(self.axis, self.axis).to(dtype)
        return torch.cat([function(part) for part in points.split(CHUNK)]).view(self.n, self.n)

    def integral(
        self, log_density: Callable[[Tensor], Tensor], dtype: torch.dtype = torch.float64
    ) -> float:
        """Integrate a density over the square, by the midpoint rule.

        Args:
            log_density: From points (B,2) to log-densities (B,).
            dtype: The precision of the points.
        """
        return self.evaluate(log_density, dtype).double().exp().sum().item() * self.area

    def entropy(self, log_prob: Callable[[Tensor], Tensor]) -> float:
        """Integrate ``-p log p`` over the square, in nats.

        Args:
            log_prob: From points (B,2) to log-densities (B,).
        """
        values = self.evaluate(log_prob)
        return -torch.special.xlogy(values.exp(), values.exp()).sum().item() * self.area
