"""Zero-initialized layers, with which networks start as the constant 0."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections import Freezable
from glow.nets.edge_conv import EdgeConv2d, Kernels, convolve


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
        [weight], [offset] = self.stack([self]).folded(tuple(x.shape[2:]))
        return convolve(x, weight, offset)

    @classmethod
    def stack(cls, layers: Sequence["ZeroConv2d"]) -> Kernels:
        """Return the scaled kernels of K layers of the same shapes."""
        log_scale = torch.stack([layer.log_scale for layer in layers])
        kernels = EdgeConv2d.stack([layer.conv for layer in layers])
        return kernels.then((layers[0].log_scale_factor * log_scale).exp())

    def frozen(self) -> EdgeConv2d:
        """Return the same map with its scale folded into the weights."""
        return self.conv.folded((self.log_scale_factor * self.log_scale).exp())


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
