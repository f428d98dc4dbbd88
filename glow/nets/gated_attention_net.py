"""The network of Flow++: gated convolutions and gated attention."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.nets.activation import concat_elu
from glow.nets.attention import attend, check_heads
from glow.nets.features import add_context, embeddings
from glow.nets.position_embedding import PositionEmbedding


class GatedAttentionNet(nn.Module):
    """3x3, blocks of a gated convolution and gated attention, 3x3: (B,C,H,W) to (B,O,H,W).

    A block is a ``GatedConv``, ``LayerNorm`` over channels, a ``GatedAttention``, and another
    ``LayerNorm``. In place of the authors' normalization by the first batch, weights start from
    normal noise scaled by their fan-in. Ho et al. 2019, section 3.3 and appendix A.

    Args:
        in_channels: The number of input channels, C.
        out_channels: The number of output channels, O.
        width: The number of hidden channels.
        n_blocks: The number of blocks.
        n_heads: The number of heads of attention.
        attention: Whether blocks have attention.
        grid: Height and width of the grid of learned positions, which all blocks share; see
            ``PositionEmbedding``.
        dropout: The probability with which training drops a feature, in every convolution and
            attention.
        gain: How large the outputs start: 0.1 in Flow++; 0 makes the network the constant 0.
        elu: Whether the nonlinearity comes before the last convolution, too, as for ImageNet.
        n_classes: If above 0, the context must be class labels (B,), whose embedding is added to
            the first hidden layer.
        context_channels: If above 0, the context must be as many features of an image
            (B,F,H,W), which every block sees.

    Raises:
        ValueError: If a number does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 96,
        n_blocks: int = 10,
        n_heads: int = 4,
        attention: bool = True,
        grid: Sequence[int] = (8, 8),
        dropout: float = 0.0,
        gain: float = 0.0,
        elu: bool = False,
        n_classes: int = 0,
        context_channels: int = 0,
    ) -> None:
        super().__init__()
        check_heads(width, n_heads)
        self.conv_in = ScaledConv2d(in_channels, width, 3)
        self.labels, _ = embeddings(n_classes, context_channels, width)
        self.positions = PositionEmbedding(width, grid, std=0.01) if attention else None
        convs, attentions = [], []
        for _ in range(n_blocks):
            convs.append(GatedConv(width, dropout=dropout, context_channels=context_channels))
            attentions.append(GatedAttention(width, n_heads, dropout))
        self.convs = nn.ModuleList(convs)
        self.attentions = nn.ModuleList(attentions if attention else [])
        self.norms = nn.ModuleList(ChannelNorm(width) for _ in chain(convs, self.attentions))
        self.elu = elu
        self.conv_out = ScaledConv2d(width * (2 if elu else 1), out_channels, 3)
        self.gain = nn.Parameter(torch.full((out_channels,), float(gain)))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute what the coupling does to the other half.

        Args:
            x: One half of the channels, (B,C,H,W).
            context: Class labels (B,), features (B,F,H,W), or None.

        Returns:
            The raw parameters of the coupling, (B,O,H,W).
        """
        h = add_context(self.conv_in(x), context, self.labels, None)
        norms = iter(self.norms)
        positions = None if self.positions is None else self.positions(*x.shape[2:])
        for number, conv in enumerate(self.convs):
            h = next(norms)(conv(h, context))
            if positions is not None:
                h = next(norms)(self.attentions[number](h, positions))
        out: Tensor = self.conv_out(concat_elu(h) if self.elu else h)
        return out * self.gain[:, None, None]


class ScaledConv2d(nn.Conv2d):
    """A convolution of as many outputs as inputs, whose weights start with variance 1 / fan-in.

    Args:
        in_channels: The number of input channels.
        out_channels: The number of output channels.
        kernel_size: The side of the kernel, which is odd.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        nn.init.normal_(self.weight, std=(in_channels * kernel_size**2) ** -0.5)
        assert self.bias is not None
        nn.init.zeros_(self.bias)


class ChannelNorm(nn.LayerNorm):
    """Normalization of the channels of every position (B,C,H,W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalize, then scale and shift every channel."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def gated(x: Tensor) -> Tensor:
    """Return ``a * sigmoid(b)`` for the halves a and b of the channels (B,2C,H,W)."""
    return F.glu(x, dim=1)


class GatedConv(nn.Module):
    """``h + gate(conv(drop(elu(conv3x3(elu(h)) + embedding(context)))))``, elu being concat_elu.

    Args:
        width: The number of channels.
        kernel_size: The side of the second kernel.
        dropout: The probability with which training drops a feature.
        context_channels: The number of features of the context; 0 for none.
    """

    def __init__(
        self, width: int, kernel_size: int = 1, *, dropout: float = 0.0, context_channels: int = 0
    ) -> None:
        super().__init__()
        self.conv_in = ScaledConv2d(2 * width, width, 3)
        _, self.features = embeddings(0, context_channels, width)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = ScaledConv2d(2 * width, 2 * width, kernel_size)
        with torch.no_grad():
            self.conv_out.weight.mul_(0.1)

    def forward(self, h: Tensor, context: Tensor | None = None) -> Tensor:
        """Add to h (B,width,H,W)."""
        change = add_context(self.conv_in(concat_elu(h)), context, None, self.features)
        return h + gated(self.conv_out(self.dropout(concat_elu(change))))


class GatedAttention(nn.Module):
    """``h + gate(linear(drop(attention(h + positions))))``.

    Args:
        width: The number of channels.
        n_heads: The number of heads.
        dropout: The probability with which training drops a feature.
    """

    def __init__(self, width: int, n_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.project = ScaledConv2d(width, 3 * width, 1)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = ScaledConv2d(width, 2 * width, 1)
        with torch.no_grad():
            self.conv_out.weight.mul_(0.1)

    def forward(self, h: Tensor, positions: Tensor) -> Tensor:
        """Add to h (B,width,H,W), given the embedding of positions (width,H,W)."""
        projected = self.project(h + positions).flatten(2).mT
        mixed = attend(projected, self.n_heads).mT.unflatten(2, h.shape[2:])
        return h + gated(self.conv_out(self.dropout(mixed)))
