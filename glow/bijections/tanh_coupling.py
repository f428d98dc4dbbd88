"""The affine coupling of RealNVP, whose log-scales are bounded and learn their bounds."""

import torch
from torch import Tensor, nn

from glow.bijections.bijection import per_channel
from glow.bijections.coupling import AffineCoupling, NetFactory


class LearnedTanh(nn.Module):
    """A scale map with one learned bound for each channel: ``log_scale = bound * tanh(raw)``.

    Args:
        channels: The number of channels that are scaled.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bound = nn.Parameter(torch.ones(channels))

    def forward(self, raw: Tensor) -> Tensor:
        """Return the log-scales (B,C,...) of raw scales (B,C,...)."""
        return per_channel(self.bound, raw) * raw.tanh()


class TanhCoupling(AffineCoupling):
    """An affine coupling with log-scales ``bound * tanh(raw_scale)``, the bounds being learned.

    Dinh et al. 2017, section 4.1. Their ``y_b = x_b * exp(log_scale) + shift`` is ours with another
    shift.

    Args:
        channels: The number of channels of x, which must be even.
        net: A function of the numbers of input and output channels that builds the network.
    """

    def __init__(self, channels: int, net: NetFactory) -> None:
        super().__init__(channels, net, LearnedTanh(channels // 2))
