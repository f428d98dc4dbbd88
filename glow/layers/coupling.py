"""Coupling layers: half of the channels decides what happens to the other half."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from glow.layers.bijection import Bijection, zero_log_det
from glow.layers.coupling_net import CouplingNet
from glow.layers.scale_map import ScaleMap, sigmoid

NetFactory = Callable[[int, int], nn.Module]  # in_channels, out_channels -> network


class AdditiveCoupling(Bijection):
    """Add to one half what a network makes of the other: ``y_b = x_b + net(x_a)``, ``y_a = x_a``.

    ``log_det`` is 0. Paper section 3.3 and table 1.
    """

    def __init__(self, channels: int, net: NetFactory = CouplingNet) -> None:
        super().__init__()
        half = half_of(channels, "an additive coupling")
        self.net = net(half, half)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shift the second half of the channels of (B,C,H,W)."""
        x_a, x_b = x.chunk(2, dim=1)
        return torch.cat([x_a, x_b + self.net(x_a).to(x.dtype)], dim=1), zero_log_det(x)

    def inverse(self, y: Tensor) -> Tensor:
        """Shift it back."""
        y_a, y_b = y.chunk(2, dim=1)
        return torch.cat([y_a, y_b - self.net(y_a).to(y.dtype)], dim=1)

    def rebuild(self, y: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Run the network once for both ways."""
        y_a, y_b = y.chunk(2, dim=1)
        x_a = y_a.detach().requires_grad_()
        shift = self.net(x_a).to(y.dtype)
        x_b = (y_b - shift).detach().requires_grad_()
        return (x_a, x_b), torch.cat([x_a, x_b + shift], dim=1), zero_log_det(y)


class AffineCoupling(Bijection):
    """Shift and scale one half by what a network makes of the other.

    ``shift, raw = net(x_a)`` in interleaved channels, ``log_scale = scale_map(raw)``; then
    ``y_a = x_a`` and ``y_b = (x_b + shift) * exp(log_scale)``, so ``log_det = sum(log_scale)``.

    Paper section 3.3 and table 1. The order (shift first), the interleaving and the default map
    ``sigmoid(raw + 2)`` are those of the reference's ``revnet2d_step``; the paper prints ``exp``.
    """

    def __init__(
        self, channels: int, net: NetFactory = CouplingNet, scale_map: ScaleMap = sigmoid
    ) -> None:
        super().__init__()
        half = half_of(channels, "an affine coupling")
        self.net = net(half, channels)
        self.scale_map = scale_map

    def _shift_and_log_scale(self, x_a: Tensor) -> tuple[Tensor, Tensor]:
        out = self.net(x_a).to(x_a.dtype)
        return out[:, 0::2], self.scale_map(out[:, 1::2])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and scale the second half of the channels of (B,C,H,W)."""
        x_a, x_b = x.chunk(2, dim=1)
        return self._transform(x_a, x_b, *self._shift_and_log_scale(x_a))

    def inverse(self, y: Tensor) -> Tensor:
        """Undo the scale, then the shift."""
        y_a, y_b = y.chunk(2, dim=1)
        return torch.cat([y_a, self._undo(y_b, *self._shift_and_log_scale(y_a))], dim=1)

    def rebuild(self, y: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Run the network once for both ways."""
        y_a, y_b = y.chunk(2, dim=1)
        x_a = y_a.detach().requires_grad_()
        of_x_a = self._shift_and_log_scale(x_a)
        x_b = self._undo(y_b, *of_x_a).detach().requires_grad_()
        return (x_a, x_b), *self._transform(x_a, x_b, *of_x_a)

    @staticmethod
    def _transform(
        x_a: Tensor, x_b: Tensor, shift: Tensor, log_scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        y_b = (x_b + shift) * log_scale.exp()
        return torch.cat([x_a, y_b], dim=1), log_scale.flatten(1).sum(1)

    @staticmethod
    def _undo(y_b: Tensor, shift: Tensor, log_scale: Tensor) -> Tensor:
        return y_b * (-log_scale).exp() - shift


def half_of(channels: int, what: str) -> int:
    """Return half the channels; raise ``ValueError`` where ``what`` cannot be cut in two."""
    if channels < 2 or channels % 2:
        legal = max(2, channels - 1)
        raise ValueError(
            f"{what} cuts its channels into two halves and so needs an even number of them, "
            f"got {channels}; the nearest legal number is {legal}"
        )
    return channels // 2
