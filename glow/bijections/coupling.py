"""Coupling layers: one half of the channels decides what happens to the other half."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from glow.bijections.bijection import Bijection, sum_per_example, zero_log_det
from glow.bijections.folding import Foldable, Folded, Setting, call, fold
from glow.bijections.scale_map import ScaleMap, sigmoid

NetFactory = Callable[[int, int], nn.Module]  # in_channels, out_channels -> network


class Coupling(Bijection, Foldable):
    """Transform one half of the channels, x_b, as a network of the other half, x_a, says.

    ::

        raw = net(x_a, context)        y_a = x_a        y_b = transform(x_b, raw)

    The network may be any module ``(B,C/2,...) -> (B,n * C/2,...)`` that takes x_a and the context.
    It need not be invertible, and it alone may run in lower precision: ``raw`` is cast back to the
    dtype of x. Paper section 3.3.

    A subclass says how many numbers it needs per transformed channel, n, and what it does with
    them.

    Args:
        channels: The number of channels of x, which must be even.
        net: A function of the numbers of input and output channels that builds the network.

    Raises:
        ValueError: If ``channels`` is odd or less than 2.
    """

    n_raw: int  # numbers per transformed channel

    def __init__(self, channels: int, net: NetFactory) -> None:
        super().__init__()
        if channels < 2 or channels % 2:
            raise ValueError(
                f"{type(self).__name__} splits its channels into two halves, so their number must "
                f"be even, got {channels}; the nearest valid number is {max(2, channels - 1)}"
            )
        self.net = net(channels // 2, self.n_raw * channels // 2)

    @abstractmethod
    def transform(self, x_b: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Transform one half, given the output of the network.

        Args:
            x_b: The half to transform, (B,C/2,...).
            raw: The output of the network, (B,n * C/2,...).

        Returns:
            y_b, and ``log_det`` (B,).
        """

    @abstractmethod
    def untransform(self, y_b: Tensor, raw: Tensor) -> Tensor:
        """Undo ``transform``.

        Args:
            y_b: The transformed half, (B,C/2,...).
            raw: The output of the network, (B,n * C/2,...).

        Returns:
            x_b (B,C/2,...).
        """

    def kind(self) -> Hashable:
        """Return nothing: it is the networks that are alike or not."""
        return None

    @classmethod
    def fold(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Fold the networks."""
        return fold([layer.net for layer in layers], setting)

    def condition(
        self, x_a: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> Tensor:
        """Run the network.

        Args:
            x_a: The half that does not change, (B,C/2,...).
            context: The context of the coupling.
            folded: What was folded for the network, or None.

        Returns:
            The output of the network, (B,n * C/2,...), in the dtype of x_a.
        """
        raw: Tensor = call(self.net, x_a, context, folded).to(x_a.dtype)
        return raw

    def raw(self, x_a: Tensor, context: Tensor | None, folded: Folded | None) -> Tensor:
        """Call ``condition``, which in a subclass may have no argument ``folded``."""
        if self.takes_folded:
            return self.condition(x_a, context, folded)
        return self.condition(x_a, context)

    def forward(
        self, x: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> tuple[Tensor, Tensor]:
        """Transform the second half of the channels of (B,C,...)."""
        x_a, x_b = x.chunk(2, dim=1)
        y_b, log_det = self.transform(x_b, self.raw(x_a, context, folded))
        return torch.cat([x_a, y_b], dim=1), log_det

    def inverse(
        self, y: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> Tensor:
        """Run the network on the first half again, and undo the transform."""
        y_a, y_b = y.chunk(2, dim=1)
        x_b = self.untransform(y_b, self.raw(y_a, context, folded))
        return torch.cat([y_a, x_b], dim=1)

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Initialize the network, if it starts from data."""
        initialize_net = getattr(self.net, "initialize", None)
        if initialize_net is not None:
            initialize_net(x.chunk(2, dim=1)[0], context)
        return super().initialize(x, context)


class AdditiveCoupling(Coupling):
    """Shift one half by what a network computes from the other: ``y_b = x_b + net(x_a)``.

    ``log_det`` is 0. Paper section 3.3 and table 1.
    """

    n_raw = 1

    def transform(self, x_b: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Add ``raw``."""
        return x_b + raw, zero_log_det(x_b)

    def untransform(self, y_b: Tensor, raw: Tensor) -> Tensor:
        """Subtract it."""
        return y_b - raw


class AffineCoupling(Coupling):
    """Shift and scale one half by what a network computes from the other.

    The network returns ``shift`` and ``raw_scale`` in interleaved channels. With
    ``log_scale = scale_map(raw_scale)``, ::

        y_b = (x_b + shift) * exp(log_scale)        log_det = sum(log_scale)

    Paper section 3.3 and table 1. The order (shift first), the interleaving and the default map
    ``sigmoid(raw_scale + 2)`` are those of ``revnet2d_step`` of the reference; the paper prints
    ``exp``.

    Args:
        channels: The number of channels of x, which must be even.
        net: A function of the numbers of input and output channels that builds the network.
        scale_map: From the network's raw output to the log-scale; see ``scale_map.py``.
    """

    n_raw = 2

    def __init__(self, channels: int, net: NetFactory, scale_map: ScaleMap = sigmoid) -> None:
        super().__init__(channels, net)
        self.scale_map = scale_map

    def transform(self, x_b: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Shift, then scale."""
        shift, raw_scale = deinterleave(raw)
        log_scale = self.scale_map(raw_scale)
        return (x_b + shift) * log_scale.exp(), sum_per_example(log_scale)

    def untransform(self, y_b: Tensor, raw: Tensor) -> Tensor:
        """Undo the scale, then the shift."""
        shift, raw_scale = deinterleave(raw)
        return y_b * (-self.scale_map(raw_scale)).exp() - shift


def deinterleave(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Return the even and the odd channels of (B,2C,...).

    Their gradients come together in one operation, with the channels last in memory.
    """
    even, odd = raw.movedim(1, -1).unflatten(-1, (-1, 2)).unbind(-1)
    return even.movedim(-1, 1), odd.movedim(-1, 1)
