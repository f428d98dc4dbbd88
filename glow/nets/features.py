"""Features of an image as the context of a network."""

from torch import Tensor, nn

from glow.nets.activation import concat_elu
from glow.nets.label_embedding import LabelEmbedding


class FeatureEmbedding(nn.Module):
    """Hidden channels from features of an image: (B,F,H,W) to (B,O,H,W), which start at zero.

    Args:
        features: The number of features, F.
        width: The number of hidden channels, O.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.features = features
        self.conv = nn.Conv2d(2 * features, width, 1)
        for parameter in self.conv.parameters():
            nn.init.zeros_(parameter)

    def forward(self, context: Tensor | None) -> Tensor:
        """Map the features.

        Args:
            context: Features (B,F,H,W).

        Returns:
            Hidden channels (B,O,H,W).

        Raises:
            ValueError: If the context is no such tensor.
        """
        if context is None or context.ndim != 4 or context.shape[1] != self.features:
            found = "nothing" if context is None else f"shape {tuple(context.shape)}"
            raise ValueError(
                f"the context of this network must be features (B,{self.features},H,W) of an "
                f"image, got {found}"
            )
        hidden: Tensor = self.conv(concat_elu(context.to(self.conv.weight.dtype)))
        return hidden


def embeddings(
    n_classes: int, context_channels: int, width: int
) -> tuple[LabelEmbedding | None, FeatureEmbedding | None]:
    """Return what turns the context of a network into hidden channels, of labels or of features.

    Args:
        n_classes: If above 0, the context is class labels (B,).
        context_channels: If above 0, the context is features (B,F,H,W), and this is F.
        width: The number of hidden channels.

    Raises:
        ValueError: If both are above 0.
    """
    if n_classes and context_channels:
        raise ValueError(
            "the context of a network is class labels or features of an image, not both: got "
            f"n_classes={n_classes} and context_channels={context_channels}"
        )
    labels = LabelEmbedding(n_classes, width) if n_classes else None
    return labels, FeatureEmbedding(context_channels, width) if context_channels else None


def add_context(
    hidden: Tensor,
    context: Tensor | None,
    labels: LabelEmbedding | None,
    features: FeatureEmbedding | None,
) -> Tensor:
    """Add a context to hidden channels, if the network has an embedding of it.

    Args:
        hidden: Hidden channels (B,O,H,W).
        context: Class labels (B,), features (B,F,H,W), or None.
        labels: The embedding of labels, or None.
        features: The embedding of features, or None.

    Returns:
        Hidden channels (B,O,H,W).
    """
    if labels is not None:
        hidden = hidden + labels(context, hidden.shape[0]).to(hidden.dtype)[:, :, None, None]
    if features is not None:
        hidden = hidden + features(context).to(hidden.dtype)
    return hidden
