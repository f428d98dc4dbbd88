"""A convolution that sees where the image ends."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EdgeConv2d(nn.Conv2d):
    r"""A size-preserving convolution with edge padding: it can tell padding from zeros.

    Zero padding looks like a zero activation. The reference tells the two apart by one more input
    channel, which is 1 in the padding and 0 inside the image. What this channel contributes does
    not depend on the input, so it is computed from the weights alone, as a map that is added: ::

        y = conv(x, weight) + bias + conv(indicator, edge_weight)

    (B,C,H,W) to (B,O,H,W). ``add_edge_padding`` of the reference.

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

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Convolve (B,C,H,W); the context is ignored."""
        [weight], [offset] = self.stack([self]).folded(tuple(x.shape[2:]))
        return convolve(x, weight, offset)

    @classmethod
    def stack(cls, layers: Sequence["EdgeConv2d"]) -> "Kernels":
        """Return the parameters of K convolutions of the same shapes."""
        biases = [layer.bias for layer in layers if layer.bias is not None]
        edges: list[Tensor] = [e for layer in layers if (e := layer.edge_weight) is not None]
        return Kernels(
            torch.stack([layer.weight for layer in layers]),
            torch.stack(biases) if biases else None,
            torch.stack(edges) if edges else None,
        )

    @torch.no_grad()
    def folded(self, scale: Tensor, shift: Tensor | None = None) -> "EdgeConv2d":
        """Return a convolution that computes ``self(x) * scale + shift`` from its own weights.

        Args:
            scale: Factors (O,).
            shift: Summands (O,), or None.
        """
        kernels = self.stack([self]).then(scale[None], None if shift is None else shift[None])
        conv = EdgeConv2d(
            self.in_channels,
            self.out_channels,
            self.kernel_size[0],
            bias=kernels.bias is not None,
            edge_indicator=kernels.edge is not None,
        ).to(self.weight)
        conv.weight.copy_(kernels.weight[0])
        if conv.bias is not None and kernels.bias is not None:
            conv.bias.copy_(kernels.bias[0])
        if conv.edge_weight is not None and kernels.edge is not None:
            conv.edge_weight.copy_(kernels.edge[0])
        return conv


class Kernels(NamedTuple):
    """The parameters of K convolutions.

    Args:
        weight: The kernels (K,O,C,k,k).
        bias: The biases (K,O), or None.
        edge: The kernels of the edge indicator (K,O,1,k,k), or None.
    """

    weight: Tensor
    bias: Tensor | None
    edge: Tensor | None

    def then(self, scale: Tensor, shift: Tensor | None = None) -> "Kernels":
        """Return the kernels of the convolutions followed by a scale and a shift.

        Args:
            scale: Factors (K,O).
            shift: Summands (K,O), or None.
        """
        bias = shift
        if self.bias is not None:
            bias = self.bias * scale if shift is None else self.bias * scale + shift
        edge = None if self.edge is None else _scaled(self.edge, scale)
        return Kernels(_scaled(self.weight, scale), bias, edge)

    def folded(self, size: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return what ``convolve`` takes, for each of the K convolutions.

        Args:
            size: The height and width of the image.

        Returns:
            The kernels (K,O,C,k,k), whose channels are last in memory, and what is added, biases
            (K,O) or maps (K,H,W,O).
        """
        weight = self.weight.movedim(2, -1).contiguous().movedim(-1, 2)
        bias = weight.new_zeros(weight.shape[:2]) if self.bias is None else self.bias
        if self.edge is None:
            return weight, bias
        return weight, edge_map(self.edge, *size) + bias[:, None, None]


def _scaled(kernels: Tensor, scale: Tensor) -> Tensor:
    """Multiply kernels (K,O,C,k,k) by factors (K,O).

    As rows of a matrix, so that the gradient returns to the parameters in their layout, without
    another copy for each of them.
    """
    return (kernels.flatten(2) * scale[:, :, None]).unflatten(2, kernels.shape[2:])


def convolve(x: Tensor, weight: Tensor, offset: Tensor) -> Tensor:
    """Convolve x with zero padding, and add an offset.

    Args:
        x: Images (B,C,H,W).
        weight: The kernel (O,C,k,k), k odd.
        offset: What is added, (O,) or (H,W,O).

    Returns:
        Images (B,O,H,W).
    """
    margin = weight.shape[-1] // 2
    if offset.ndim == 1:
        return F.conv2d(x, weight, offset, padding=margin)
    y = F.conv2d(x, weight, padding=margin)
    # With channels last, the gradient of a map is a fast sum over images.
    return (y.movedim(1, -1) + offset).movedim(-1, 1)


def edge_map(edge_weight: Tensor, height: int, width: int) -> Tensor:
    """Convolve the edge indicator of an image.

    Args:
        edge_weight: Kernels (...,O,1,k,k).
        height: The height of the image.
        width: The width of the image.

    Returns:
        What the padding adds at every pixel, (...,height,width,O).
    """
    margin = edge_weight.shape[-1] // 2
    inside = edge_weight.new_zeros(1, 1, height, width)
    indicator = F.pad(inside, (margin,) * 4, value=1.0)
    patches = F.unfold(indicator, edge_weight.shape[-1])[0]  # (k^2, pixels)
    # The product in this order gives the gradient the layout of the parameter.
    return (edge_weight.flatten(-3) @ patches).mT.contiguous().unflatten(-2, (height, width))
