"""A convolution that sees where the image ends."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.layers.convolution import convolve


class EdgeConv2d(nn.Conv2d):
    r"""A size-preserving convolution whose input has one channel more: "I am padding".

    Zero padding looks like a zero activation. The reference tells the two apart by a further input
    channel, 1 in the padding and 0 inside the image. Its contribution does not depend on the input,
    so it is computed from the weights alone, as a bias map that is added: ::

        y = conv(x, weight) + bias + conv(indicator, edge_weight)

    Channels come last: (B,H,W,C) to (B,H,W,O). ``add_edge_padding`` of the reference.
    ``edge_indicator=False`` gives the plain zero-padded convolution.
    """

    edge_weight: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        bias: bool = True,
        edge_indicator: bool = True,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias
        )
        if edge_indicator:
            shape = (out_channels, 1, kernel_size, kernel_size)
            self.edge_weight = nn.Parameter(torch.zeros(shape))
        else:
            self.register_parameter("edge_weight", None)

    def forward(
        self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
    ) -> Tensor:
        """Convolve (B,H,W,C) to (B,H,W,O); then multiply by scale (O,) and add shift (O,).

        These are folded into the weights, and cost nothing per pixel.
        """
        weight, offset = self.weight, self.weight.new_zeros(self.out_channels)
        if self.bias is not None:
            offset = offset + self.bias
        if self.edge_weight is not None:
            offset = offset + edge_bias(self.edge_weight, *x.shape[1:3])
        if scale is not None:
            weight, offset = weight * scale[:, None, None, None], offset * scale
        if shift is not None:
            offset = offset + shift
        return convolve(x, weight, offset)


def edge_bias(edge_weight: Tensor, height: int, width: int) -> Tensor:
    """Convolve the edge indicator of an image of this size: (O,1,k,k) to (height,width,O)."""
    margin = edge_weight.shape[-1] // 2
    inside = edge_weight.new_zeros(1, 1, height, width)
    indicator = F.pad(inside, (margin,) * 4, value=1.0)
    patches = F.unfold(indicator, edge_weight.shape[-1])[0]  # (k^2, pixels)
    return (patches.T @ edge_weight.flatten(1).T).view(height, width, -1)
