"""Composition of bijections."""

from torch import Tensor, nn

from glow.bijections.bijection import Bijection, total_log_det


class Chain(Bijection, nn.Sequential):
    """Apply bijections one after the other; ``log_det`` is the sum of theirs.

    A chain is built like ``nn.Sequential``, from bijections or from an ``OrderedDict`` that names
    them. It applies exactly what it is given, in that order: ``Chain(a, a)`` applies ``a`` twice.
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply every part, first to last."""
        terms = []
        for bijection in self:
            x, term = bijection(x, context)
            terms.append(term)
        return x, total_log_det(terms, x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Invert every part, last to first."""
        for bijection in reversed(list(self)):
            y = bijection.inverse(y, context)  # type: ignore[operator]
        return y

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Initialize every part from what the parts before it return."""
        for bijection in self:
            x = bijection.initialize(x, context)  # type: ignore[operator]
        return x
