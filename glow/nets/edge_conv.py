"""A convolution that sees where the image ends."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.nets.convolution import convolve


class EdgeConv2d(nn.Conv2d):
    r"""A size-preserving convolution with edge padding: it can tell padding from zeros.

    Zero padding looks like a zero activation. The reference tells the two apart by one more input
    channel, which is 1 in the padding and 0 inside the image. What this channel contributes does
    not depend on the input, so it is computed from the weights alone, as a map that is added: ::

        y = conv(x, weight) + bias + conv(indicator, edge_weight)

    Channels are last: (B,H,W,C) to (B,H,W,O). ``add_edge_padding`` of the reference.

    Args:
        in_channels: The number of input channels, C.
        out_channels: The number of output channels, O.
        kernel_size: The size of the kernel, which must be odd.
        bias: Whether there is a bias.
        edge_indicator: Whether there is an indicator; without it this is a zero-padded convolution.

    Raises:
        ValueError: If the size of the kernel is even.
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
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd to preserve the size, got {kernel_size}")
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
        """Convolve, then multiply by a scale and add a shift.

        Scale and shift are folded into the weights and cost nothing per pixel.

        Args:
            x: Images with channels last, (B,H,W,C).
            scale: Factors (O,), or None.
            shift: Summands (O,), or None.

        Returns:
            Images with channels last, (B,H,W,O).
        """
        weight, offset = self.weight, self.weight.new_zeros(self.out_channels)
        if self.bias is not None:
            offset = offset + self.bias
        if self.edge_weight is not None:
            offset = offset + edge_map(self.edge_weight, *x.shape[1:3])
        if scale is not None:
            weight, offset = weight * scale[:, None, None, None], offset * scale
        if shift is not None:
            offset = offset + shift
        return convolve(x, weight, offset)

    @torch.no_grad()
    def folded(self, scale: Tensor, shift: Tensor | None = None) -> "EdgeConv2d":
        """Return a convolution that computes ``self(x, scale, shift)`` from its own weights.

        Args:
            scale: Factors (O,).
            shift: Summands (O,), or None.
        """
        has_bias = self.bias is not None or shift is not None
        conv = EdgeConv2d(
            self.in_channels,
            self.out_channels,
            self.kernel_size[0],
            bias=has_bias,
            edge_indicator=self.edge_weight is not None,
        ).to(self.weight)
        conv.weight.copy_(self.weight * scale[:, None, None, None])
        if conv.bias is not None:
            bias = scale.new_zeros(self.out_channels) if self.bias is None else self.bias * scale
            conv.bias.copy_(bias if shift is None else bias + shift)
        if conv.edge_weight is not None and self.edge_weight is not None:
            conv.edge_weight.copy_(self.edge_weight * scale[:, None, None, None])
        return conv


def edge_map(edge_weight: Tensor, height: int, width: int) -> Tensor:
    """Convolve the edge indicator of an image.

    Args:
        edge_weight: The kernel (O,1,k,k).
        height: The height of the image.
        width: The width of the image.

    Returns:
        What the padding adds at every pixel, (height,width,O).
    """
    margin = edge_weight.shape[-1] // 2
    inside = edge_weight.new_zeros(1, 1, height, width)
    indicator = F.pad(inside, (margin,) * 4, value=1.0)
    patches = F.unfold(indicator, edge_weight.shape[-1])[0]  # (k^2, pixels)
    return (patches.T @ edge_weight.flatten(1).T).view(height, width, -1)
