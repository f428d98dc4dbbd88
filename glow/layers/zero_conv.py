"""Zero-initialised layers: networks that start as the constant 0."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.layers.edge_conv import EdgeConv2d


class ZeroConv2d(nn.Module):
    """A 3x3 convolution that starts at zero, scaled per channel: ``conv(x) * exp(f * log_scale)``.

    With all three at zero the output is 0, and the exponent lets it grow quickly where that pays:
    its factor ``f`` is 3. (B,C,H,W) to (B,O,H,W). ``conv2d_zeros`` of the reference.
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
        self.log_scale = nn.Parameter(torch.zeros(out_channels, 1, 1))
        self.log_scale_factor = log_scale_factor
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and scale (B,C,H,W)."""
        scale = (self.log_scale_factor * self.log_scale).exp().flatten()
        y: Tensor = self.conv(x.permute(0, 2, 3, 1), scale)
        return y.permute(0, 3, 1, 2)


class ZeroLinear(nn.Module):
    """The same for vectors: ``linear(x) * exp(f * log_scale)``, (B,C) to (B,O).

    ``linear_zeros`` of the reference.
    """

    def __init__(
        self, in_features: int, out_features: int, *, log_scale_factor: float = 3.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.log_scale = nn.Parameter(torch.zeros(out_features))
        self.log_scale_factor = log_scale_factor

    def forward(self, x: Tensor) -> Tensor:
        """Map and scale (B,C)."""
        y = F.linear(x, self.weight, self.bias)
        return y * (self.log_scale_factor * self.log_scale).exp()
