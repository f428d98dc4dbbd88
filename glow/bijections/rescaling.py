"""Multiplication by a constant."""

import math

from torch import Tensor

from glow.bijections.bijection import Bijection, zero_log_det


class Rescaling(Bijection):
    """Multiply every entry by a constant: ``y = c x``, with ``log_det = D log|c|``.

    Args:
        factor: The constant c.

    Raises:
        ValueError: If it is 0.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        if not factor:
            raise ValueError("a factor of 0 has no inverse")
        self.factor = factor

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Multiply (B, ...)."""
        return x * self.factor, zero_log_det(x) + x[0].numel() * math.log(abs(self.factor))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Divide."""
        return y / self.factor
