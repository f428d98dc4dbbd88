"""ActNorm and the linear map after it, as a single product."""

from torch import Tensor

from glow.bijections.actnorm import ActNorm
from glow.bijections.linear import InvertibleLinear


class ActNormLinear(InvertibleLinear):
    """An ActNorm and an invertible linear map in one: ``y = W diag(scale) (x + bias)``.

    This is ``Chain(actnorm, linear)`` with one pass over x instead of two. Gradients reach the
    parameters of both through the one matrix.

    Args:
        actnorm: The ActNorm, which is applied first.
        linear: The linear map, such as the 1x1 convolution of a step of flow.
    """

    def __init__(self, actnorm: ActNorm, linear: InvertibleLinear) -> None:
        super().__init__()
        self.actnorm = actnorm
        self.linear = linear

    def matrix(self) -> Tensor:
        """Scale the columns of W."""
        return self.linear.matrix() * self.actnorm.scale()

    def inverse_matrix(self) -> Tensor:
        """Scale the rows of the inverse."""
        return self.linear.inverse_matrix() * self.actnorm.scale(-1)[:, None]

    def log_abs_det(self) -> Tensor:
        """Add up those of both."""
        return self.linear.log_abs_det() + self.actnorm.log_abs_det()

    def bias(self) -> Tensor:
        """Return the bias of the ActNorm, plus what the bias of the linear map is before it."""
        bias = self.linear.bias()
        if bias is None:
            return self.actnorm.bias
        return self.actnorm.bias + bias * self.actnorm.scale(-1)

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Initialize the ActNorm, then the linear map."""
        return self.linear.initialize(self.actnorm.initialize(x, context), context)
