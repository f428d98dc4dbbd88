"""A bijection in the other direction."""

from torch import Tensor

from glow.bijections.bijection import Bijection, zero_log_det
from glow.bijections.chain import Chain


class Inverse(Bijection):
    """The inverse of a bijection, as a bijection: ``y = f^-1(x)``.

    Its fast direction is the other one. The inverse of a ``MaskedAutoregressive`` flow is an
    inverse autoregressive flow (IAF): it samples in one pass. Data-dependent initialization does
    not reach into it, because it would need examples of y. Kingma et al. 2016, section 3.

    Args:
        bijection: The bijection f.
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply the inverse of f; see ``inverse_and_log_det`` for the cost."""
        return inverse_and_log_det(self.bijection, x, context)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Apply f."""
        x: Tensor = self.bijection(y, context)[0]
        return x


def inverse_and_log_det(
    bijection: Bijection, y: Tensor, context: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Invert a bijection, and say how the inverse changes volume: ``log |det dx/dy|``.

    The contract has no log-determinant on the way back, so this runs the inverse, and then
    ``forward`` at the point found. An ``Inverse`` needs only one of the two, also within a chain.

    Args:
        bijection: The bijection.
        y: What ``forward`` would return, (B, ...).
        context: What conditions the map, or None.

    Returns:
        x (B, ...), and its ``log_det`` (B,), which is minus that of ``forward`` at x, in nats.
    """
    if isinstance(bijection, Inverse):
        x, log_det = bijection.bijection(y, context)
        return x, log_det
    if isinstance(bijection, Chain):
        log_det = zero_log_det(y)
        for part in reversed(list(bijection)):
            y, term = inverse_and_log_det(part, y, context)  # type: ignore[arg-type]
            log_det = log_det + term
        return y, log_det
    x = bijection.inverse(y, context)
    _, log_det = bijection(x, context)
    return x, -log_det
