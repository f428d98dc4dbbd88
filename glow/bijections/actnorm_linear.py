"""ActNorm and the linear map after it, as a single product."""

from collections.abc import Hashable, Sequence
from typing import Self

from torch import Tensor

from glow.bijections.actnorm import ActNorm
from glow.bijections.linear import InvertibleLinear, LinearMaps


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

    def kind(self) -> Hashable:
        """Return the kinds of both."""
        return self.actnorm.kind(), type(self.linear), self.linear.kind()

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> LinearMaps:
        """Scale the columns of W, and add up what both add to ``log_det``."""
        scale, bias, log_scales = type(layers[0].actnorm).stack([layer.actnorm for layer in layers])
        linear = type(layers[0].linear).stack([layer.linear for layer in layers])
        if linear.bias is not None:
            bias = bias + linear.bias / scale
        return LinearMaps(linear.matrix * scale[:, None], linear.log_abs_det + log_scales, bias)

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Initialize the ActNorm, then the linear map."""
        return self.linear.initialize(self.actnorm.initialize(x, context), context)
