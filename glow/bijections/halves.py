"""One bijection for each half of the channels."""

import torch
from torch import Tensor

from glow.bijections.bijection import Bijection


class Halves(Bijection):
    """Apply one bijection to each half of the channels: ``y = [f(x_a), g(x_b)]``.

    ``log_det`` is the sum of theirs.

    Args:
        first: The bijection of the first half, f.
        second: The bijection of the second half, g.
    """

    def __init__(self, first: Bijection, second: Bijection) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map both halves of (B,C,...)."""
        x_a, x_b = x.chunk(2, dim=1)
        y_a, log_det_a = self.first(x_a, context)
        y_b, log_det_b = self.second(x_b, context)
        return torch.cat([y_a, y_b], dim=1), log_det_a + log_det_b

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Map them back."""
        y_a, y_b = y.chunk(2, dim=1)
        x_a, x_b = self.first.inverse(y_a, context), self.second.inverse(y_b, context)
        return torch.cat([x_a, x_b], dim=1)

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Initialize both from their halves."""
        x_a, x_b = x.chunk(2, dim=1)
        y_a, y_b = self.first.initialize(x_a, context), self.second.initialize(x_b, context)
        return torch.cat([y_a, y_b], dim=1)
