"""A residual convolutional network, for couplings of images."""

from torch import Tensor, nn
from torch.nn import functional as F

from glow.nets.features import add_context, embeddings
from glow.nets.zero_layers import ZeroConv2d


class ResidualNet(nn.Module):
    """3x3, residual blocks, ReLU, zero-initialized 3x3: (B,C,H,W) to (B,O,H,W).

    A block is ``h + conv3x3(relu(conv3x3(relu(h))))``, whose last convolution starts at zero, so
    that a network of any depth starts well without normalization. RealNVP normalizes by batches
    instead; then, in training, the density of an image would depend on the rest of its batch. Dinh
    et al. 2017, sections 3.7 and 4.1.

    Args:
        in_channels: The number of input channels, C.
        out_channels: The number of output channels, O.
        width: The number of hidden channels.
        n_blocks: The number of residual blocks.
        n_classes: If above 0, the context must be class labels (B,), whose embedding is added to
            the first hidden layer.
        context_channels: If above 0, the context must be as many features of an image
            (B,F,H,W), whose embedding is added to the first hidden layer.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 64,
        n_blocks: int = 8,
        n_classes: int = 0,
        context_channels: int = 0,
    ) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(in_channels, width, 3, padding=1)
        self.labels, self.features = embeddings(n_classes, context_channels, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(n_blocks))
        self.conv_out = ZeroConv2d(width, out_channels)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute what the coupling does to the other half.

        Args:
            x: One half of the channels, (B,C,H,W).
            context: Class labels (B,), features (B,F,H,W), or None.

        Returns:
            The raw parameters of the coupling, (B,O,H,W).
        """
        h = add_context(self.conv_in(x), context, self.labels, self.features)
        for block in self.blocks:
            h = block(h)
        out: Tensor = self.conv_out(F.relu(h))
        return out


class ResidualBlock(nn.Module):
    """``h + conv3x3(relu(conv3x3(relu(h))))``, the identity at first.

    Args:
        width: The number of channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(width, width, 3, padding=1)
        self.conv_out = nn.Conv2d(width, width, 3, padding=1)
        for parameter in self.conv_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, h: Tensor) -> Tensor:
        """Add to h (B,width,H,W)."""
        change: Tensor = self.conv_out(F.relu(self.conv_in(F.relu(h))))
        return h + change
