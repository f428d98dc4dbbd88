"""Bijections of vectors, applied to images."""

from torch import Tensor

from glow.bijections.bijection import Bijection


class Flattened(Bijection):
    """Apply a bijection of vectors to images, or to anything else: flatten, map, restore the shape.

    Args:
        bijection: A bijection of vectors (B,D), D being the number of entries of an example.
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map the entries of (B, ...)."""
        y, log_det = self.bijection(x.flatten(1), context)
        return y.reshape(x.shape), log_det

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Map them back."""
        return self.bijection.inverse(y.flatten(1), context).reshape(y.shape)

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Initialize the bijection from the vectors."""
        return self.bijection.initialize(x.flatten(1), context).reshape(x.shape)
