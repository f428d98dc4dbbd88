"""The network inside a coupling layer."""

from torch import Tensor, nn

from glow.layers.actnorm import ActNorm
from glow.layers.edge_conv import EdgeConv2d
from glow.layers.zero_conv import ZeroConv2d


class CouplingNet(nn.Module):
    """3x3, ActNorm, ReLU, 1x1, ActNorm, ReLU, zero-initialised 3x3: (B,C,H,W) to (B,O,H,W).

    It need not be invertible. It starts as the constant 0, which makes the coupling around it a
    fixed map at first. Weights start from N(0, 0.05^2). Paper section 3.3; ``f`` of the reference.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 512,
        log_scale_factor: float = 3.0,
        edge_indicator: bool = True,
    ) -> None:
        super().__init__()
        self.conv_in = EdgeConv2d(in_channels, width, bias=False, edge_indicator=edge_indicator)
        self.actnorm_in = ActNorm(width, log_scale_factor)
        self.conv_mid = EdgeConv2d(width, width, 1, bias=False, edge_indicator=False)
        self.actnorm_mid = ActNorm(width, log_scale_factor)
        self.conv_out = ZeroConv2d(
            width, out_channels, log_scale_factor=log_scale_factor, edge_indicator=edge_indicator
        )
        for parameter in (*self.conv_in.parameters(), *self.conv_mid.parameters()):
            nn.init.normal_(parameter, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        """Compute what the coupling does to the other half."""
        hidden = _normalized(self.conv_in, self.actnorm_in, x.permute(0, 2, 3, 1)).relu_()
        hidden = _normalized(self.conv_mid, self.actnorm_mid, hidden).relu_()
        out: Tensor = self.conv_out(hidden.permute(0, 3, 1, 2))
        return out


def _normalized(conv: EdgeConv2d, actnorm: ActNorm, x: Tensor) -> Tensor:
    """Convolve (B,H,W,C), then normalize; with the factors of both in one."""
    if actnorm.fitting:
        y, _ = actnorm(conv(x).permute(0, 3, 1, 2))
        return y.permute(0, 2, 3, 1)
    return conv(x, *actnorm.scale_and_shift())
