"""Zero-initialized layers, with which networks start as the constant 0."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections import Freezable
from glow.nets.edge_conv import EdgeConv2d


class ZeroConv2d(Freezable):
    """A 3x3 convolution that starts at zero, scaled per channel: ``conv(x) * exp(f * log_scale)``.

    The exponent lets the output grow quickly where that pays. (B,C,H,W) to (B,O,H,W).
    ``conv2d_zeros`` of the reference.

    Args:
        in_channels: The number of input channels, C.
        out_channels: The number of output channels, O.
        log_scale_factor: The factor f, 3 in the reference.
        edge_indicator: Whether the convolution has an edge indicator; see ``EdgeConv2d``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        log_scale_factor: float = 3.0,
        edge_indicator: bool = True,
    ) -> None:
        super().__init__()
        self.conv = EdgeConv2d(in_channels, out_channels, edge_indicator=edge_indicator)
        self.log_scale = nn.Parameter(torch.zeros(out_channels))
        self.log_scale_factor = log_scale_factor
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Convolve and scale (B,C,H,W); the context is ignored."""
        y: Tensor = self.conv(x.movedim(1, -1), self._scale())
        return y.movedim(-1, 1)

    def frozen(self) -> nn.Module:
        """Return the same map with its scale folded into the weights."""
        return ChannelsFirst(self.conv.folded(self._scale()))

    def _scale(self) -> Tensor:
        return (self.log_scale_factor * self.log_scale).exp()


class ZeroLinear(nn.Module):
    """A linear layer that starts at zero: ``linear(x) * exp(f * log_scale)``, (B,C) to (B,O).

    ``linear_zeros`` of the reference.

    Args:
        in_features: The number of input features, C.
        out_features: The number of output features, O.
        log_scale_factor: The factor f, 3 in the reference.
    """

    def __init__(
        self, in_features: int, out_features: int, *, log_scale_factor: float = 3.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.log_scale = nn.Parameter(torch.zeros(out_features))
        self.log_scale_factor = log_scale_factor

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Map and scale (B,C); the context is ignored."""
        y = F.linear(x, self.weight, self.bias)
        return y * (self.log_scale_factor * self.log_scale).exp()


class ChannelsFirst(nn.Module):
    """A convolution of (B,H,W,C), seen as a network of (B,C,H,W) that ignores the context."""

    def __init__(self, conv: EdgeConv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Convolve (B,C,H,W)."""
        y: Tensor = self.conv(x.movedim(1, -1))
        return y.movedim(-1, 1)
