"""The network inside a coupling layer, as in the paper."""

import torch
from torch import Tensor, nn

from glow.bijections import ActNorm, Freezable
from glow.nets.edge_conv import EdgeConv2d
from glow.nets.label_embedding import LabelEmbedding
from glow.nets.zero_layers import ZeroConv2d


class CouplingNet(Freezable):
    """3x3, ActNorm, ReLU, 1x1, ActNorm, ReLU, zero-initialized 3x3: (B,C,H,W) to (B,O,H,W).

    The network starts as the constant 0, which makes the coupling around it a fixed map at first.
    Its other weights start from N(0, 0.05^2). Paper section 3.3; ``f`` of the reference.

    Args:
        in_channels: The number of input channels, C.
        out_channels: The number of output channels, O.
        width: The number of hidden channels, 512 in the paper.
        n_classes: If above 0, the context must be class labels (B,), whose embedding is added to
            the first hidden layer. The paper's networks see no labels.
        log_scale_factor: The factor of log-scales, 3 in the reference.
        edge_indicator: Whether 3x3 convolutions have an edge indicator; see ``EdgeConv2d``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int = 512,
        n_classes: int = 0,
        log_scale_factor: float = 3.0,
        edge_indicator: bool = True,
    ) -> None:
        super().__init__()
        self.conv_in = EdgeConv2d(in_channels, width, bias=False, edge_indicator=edge_indicator)
        self.actnorm_in = ActNorm(width, log_scale_factor)
        self.labels = LabelEmbedding(n_classes, width) if n_classes else None
        self.conv_mid = EdgeConv2d(width, width, 1, bias=False, edge_indicator=False)
        self.actnorm_mid = ActNorm(width, log_scale_factor)
        self.conv_out = ZeroConv2d(
            width, out_channels, log_scale_factor=log_scale_factor, edge_indicator=edge_indicator
        )
        for parameter in (*self.conv_in.parameters(), *self.conv_mid.parameters()):
            nn.init.normal_(parameter, std=0.05)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute what the coupling does to the other half.

        Each ActNorm is folded into the convolution before it.

        Args:
            x: One half of the channels, (B,C,H,W).
            context: Class labels (B,), if ``n_classes`` is above 0.

        Returns:
            The raw parameters of the coupling, (B,O,H,W).
        """
        hidden = self.conv_in(x.movedim(1, -1), *self.actnorm_in.scale_and_shift())
        hidden = self._add_labels(hidden, context).relu_()
        hidden = self.conv_mid(hidden, *self.actnorm_mid.scale_and_shift()).relu_()
        out: Tensor = self.conv_out(hidden.movedim(-1, 1))
        return out

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Initialize the ActNorms from x (B,C,H,W); return the output (B,O,H,W)."""
        hidden = self.actnorm_in.initialize(self.conv_in(x.movedim(1, -1)).movedim(-1, 1))
        hidden = self._add_labels(hidden.movedim(1, -1), context).relu()
        self.actnorm_mid.initialize(self.conv_mid(hidden).movedim(-1, 1))
        return self(x, context)

    def frozen(self) -> nn.Module:
        """Return the same network with the ActNorms folded into its weights."""
        return FrozenCouplingNet(
            self.conv_in.folded(*self.actnorm_in.scale_and_shift()),
            self.labels,
            self.conv_mid.folded(*self.actnorm_mid.scale_and_shift()),
            self.conv_out.frozen(),
        )

    def _add_labels(self, hidden: Tensor, context: Tensor | None) -> Tensor:
        if self.labels is None:
            return hidden
        return hidden + self.labels(context, len(hidden))[:, None, None]


class FrozenCouplingNet(nn.Module):
    """A ``CouplingNet`` whose ActNorms are folded into its convolutions, for inference.

    Args:
        conv_in: The first convolution, followed by ReLU.
        labels: The embedding of class labels that is added to its output, or None.
        conv_mid: The 1x1 convolution, followed by ReLU.
        conv_out: The last convolution.
    """

    def __init__(
        self,
        conv_in: EdgeConv2d,
        labels: LabelEmbedding | None,
        conv_mid: EdgeConv2d,
        conv_out: nn.Module,
    ) -> None:
        super().__init__()
        self.conv_in = conv_in
        self.labels = labels
        self.conv_mid = conv_mid
        self.conv_out = conv_out

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute what the coupling does to the other half."""
        hidden: Tensor = self.conv_in(x.movedim(1, -1))
        if self.labels is not None:
            hidden = hidden + self.labels(context, len(hidden))[:, None, None]
        out: Tensor = self.conv_out(torch.relu(self.conv_mid(torch.relu(hidden))).movedim(-1, 1))
        return out
