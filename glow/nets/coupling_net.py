"""The network inside a coupling layer, as in the paper."""

from collections.abc import Hashable, Sequence
from typing import Self

from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections import ActNorm, Foldable, Folded, Freezable, Setting, without_autocast
from glow.nets.edge_conv import EdgeConv2d, Kernels, convolve
from glow.nets.features import FeatureEmbedding, add_context, embeddings
from glow.nets.label_embedding import LabelEmbedding
from glow.nets.zero_layers import ZeroConv2d


class FoldedConvolutions(Foldable):
    """3x3, ReLU, 1x1, ReLU, 3x3: what remains of a ``CouplingNet`` when its ActNorms are folded.

    Args:
        labels: The embedding of class labels that is added to the first hidden layer, or None.
        features: The same of features of an image.
    """

    labels: LabelEmbedding | None
    features: FeatureEmbedding | None

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> tuple[Kernels, Kernels, Kernels]:
        """Return the kernels of the three convolutions of K networks of one kind."""
        raise NotImplementedError

    @classmethod
    def fold(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Compute kernels and offsets, in the precision in which the networks run.

        The last offset stays in full precision, and so does what the networks return.
        """
        stacks = [t for kernels in cls.stack(layers) for t in kernels.folded(setting.size)]
        if setting.lowered is not None:
            stacks[:-1] = [stack.to(setting.lowered) for stack in stacks[:-1]]
        shares = zip(*(stack.unbind() for stack in stacks), strict=True)
        return [Folded(setting, tensors) for tensors in shares]

    def forward(
        self, x: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> Tensor:
        """Compute what the coupling does to the other half.

        Args:
            x: One half of the channels, (B,C,H,W).
            context: Class labels (B,), features (B,F,H,W), or None.
            folded: What was folded for this network, or None.

        Returns:
            The raw parameters of the coupling, (B,O,H,W).
        """
        kernel_in, offset_in, *middle, kernel_out, offset_out = self.folded_for(x, folded).tensors
        with without_autocast(x):
            hidden = convolve(x.to(kernel_in.dtype), kernel_in, offset_in)
            hidden = add_context(hidden, context, self.labels, self.features)
            hidden = F.relu(convolve(F.relu(hidden), *middle))
            return convolve(hidden, kernel_out, offset_out)


class CouplingNet(FoldedConvolutions, Freezable):
    """3x3, ActNorm, ReLU, 1x1, ActNorm, ReLU, zero-initialized 3x3: (B,C,H,W) to (B,O,H,W).

    The network starts as the constant 0, which makes the coupling around it a fixed map at first.
    Its other weights start from N(0, 0.05^2). Each ActNorm is folded into the convolution before
    it. Paper section 3.3; ``f`` of the reference.

    Args:
        in_channels: The number of input channels, C.
        out_channels: The number of output channels, O.
        width: The number of hidden channels, 512 in the paper.
        n_classes: If above 0, the context must be class labels (B,), whose embedding is added to
            the first hidden layer. The paper's networks see no labels.
        log_scale_factor: The factor of log-scales, 3 in the reference.
        edge_indicator: Whether 3x3 convolutions have an edge indicator; see ``EdgeConv2d``.
        context_channels: If above 0, the context must be as many features of an image
            (B,F,H,W), whose embedding is added to the first hidden layer.
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
        context_channels: int = 0,
    ) -> None:
        super().__init__()
        self.conv_in = EdgeConv2d(in_channels, width, bias=False, edge_indicator=edge_indicator)
        self.actnorm_in = ActNorm(width, log_scale_factor)
        self.labels, self.features = embeddings(n_classes, context_channels, width)
        self.conv_mid = EdgeConv2d(width, width, 1, bias=False, edge_indicator=False)
        self.actnorm_mid = ActNorm(width, log_scale_factor)
        self.conv_out = ZeroConv2d(
            width, out_channels, log_scale_factor=log_scale_factor, edge_indicator=edge_indicator
        )
        for parameter in (*self.conv_in.parameters(), *self.conv_mid.parameters()):
            nn.init.normal_(parameter, std=0.05)

    def kind(self) -> Hashable:
        """Return the shapes of the 3x3 convolutions, and the factors."""
        first, last = self.conv_in, self.conv_out.conv
        factors = self.actnorm_in.log_scale_factor, self.conv_out.log_scale_factor
        edges = first.edge_weight is None, last.edge_weight is None
        return first.weight.shape, last.weight.shape, factors, edges

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> tuple[Kernels, Kernels, Kernels]:
        """Fold each ActNorm into the convolution before it."""
        return (
            EdgeConv2d.stack([net.conv_in for net in layers]).then(
                *ActNorm.stack([net.actnorm_in for net in layers]).scale_and_shift()
            ),
            EdgeConv2d.stack([net.conv_mid for net in layers]).then(
                *ActNorm.stack([net.actnorm_mid for net in layers]).scale_and_shift()
            ),
            ZeroConv2d.stack([net.conv_out for net in layers]),
        )

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Initialize the ActNorms from x (B,C,H,W); return the output (B,O,H,W)."""
        hidden = self.actnorm_in.initialize(self.conv_in(x))
        hidden = add_context(hidden, context, self.labels, self.features)
        self.actnorm_mid.initialize(self.conv_mid(hidden.relu()))
        return self(x, context)

    def frozen(self) -> "FrozenCouplingNet":
        """Return the same network with the ActNorms folded into its weights."""
        return FrozenCouplingNet(
            self.conv_in.folded(*self.actnorm_in.scale_and_shift()),
            self.labels,
            self.features,
            self.conv_mid.folded(*self.actnorm_mid.scale_and_shift()),
            self.conv_out.frozen(),
        )


class FrozenCouplingNet(FoldedConvolutions):
    """A ``CouplingNet`` whose ActNorms are folded into its convolutions, for inference.

    Args:
        conv_in: The first convolution, followed by ReLU.
        labels: The embedding of class labels that is added to its output, or None.
        features: The same of features of an image.
        conv_mid: The 1x1 convolution, followed by ReLU.
        conv_out: The last convolution.
    """

    def __init__(
        self,
        conv_in: EdgeConv2d,
        labels: LabelEmbedding | None,
        features: FeatureEmbedding | None,
        conv_mid: EdgeConv2d,
        conv_out: EdgeConv2d,
    ) -> None:
        super().__init__()
        self.conv_in = conv_in
        self.labels = labels
        self.features = features
        self.conv_mid = conv_mid
        self.conv_out = conv_out

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> tuple[Kernels, Kernels, Kernels]:
        """Return the kernels as they are."""
        return (
            EdgeConv2d.stack([net.conv_in for net in layers]),
            EdgeConv2d.stack([net.conv_mid for net in layers]),
            EdgeConv2d.stack([net.conv_out for net in layers]),
        )
