"""Couplings with any transform, such as a spline."""

from torch import Tensor

from glow.bijections.coupling import Coupling, NetFactory
from glow.bijections.transform import Transform


class TransformCoupling(Coupling):
    """Transform one half of the channels with parameters that a network computes from the other.

    Both directions are fast: one pass of the network. With a ``RationalQuadraticSpline`` this is
    the coupling of neural spline flows, RQ-NSF (C); Durkan et al. 2019, section 3.

    Args:
        channels: The number of channels of x, which must be even.
        net: A function of the numbers of input and output channels that builds the network.
        transform: The map of every entry of the second half.
    """

    def __init__(self, channels: int, net: NetFactory, transform: Transform) -> None:
        self.n_raw = transform.n_raw
        super().__init__(channels, net)
        self.element = transform

    def transform(self, x_b: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Transform every entry of x_b."""
        return self.element.forward(x_b, raw)

    def untransform(self, y_b: Tensor, raw: Tensor) -> Tensor:
        """Undo it."""
        return self.element.inverse(y_b, raw)
