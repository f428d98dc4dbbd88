"""Class labels as features."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.nets.zero_layers import ZeroLinear


class LabelEmbedding(nn.Module):
    """One vector of features for each class, all of which start at zero: (B,) to (B,F).

    A model depends on class labels exactly where it has one of these. It is a ``ZeroLinear`` of
    one-hot labels; ``y_emb`` of the reference.

    Args:
        n_classes: The number of classes.
        features: The number of features, F.
    """

    def __init__(self, n_classes: int, features: int) -> None:
        super().__init__()
        self.n_classes = n_classes
        self.linear = ZeroLinear(n_classes, features)

    def forward(self, labels: Tensor | None, batch_size: int) -> Tensor:
        """Look up the features of labels.

        Args:
            labels: Class labels (B,), integers from 0 to ``n_classes - 1``.
            batch_size: The number of examples, B, with which the labels must agree.

        Returns:
            Features (B,F).

        Raises:
            ValueError: If there are no labels, or they are of another shape, or out of range.
        """
        valid = f"one integer from 0 to {self.n_classes - 1} for each of the {batch_size} images"
        if labels is None:
            raise ValueError(f"this model is class-conditional and needs labels, {valid}")
        if labels.shape != (batch_size,) or labels.is_floating_point():
            raise ValueError(
                f"labels must be {valid}, got {labels.dtype} of shape {tuple(labels.shape)}"
            )
        # On a GPU this would wait for the device, and a traced program cannot branch on it.
        readable = labels.device.type == "cpu" and not torch.compiler.is_compiling()
        if readable and not ((labels >= 0) & (labels < self.n_classes)).all():
            raise ValueError(f"labels must be {valid}, got {labels.min()} to {labels.max()}")
        one_hot = F.one_hot(labels.long(), self.n_classes)
        features: Tensor = self.linear(one_hot.to(self.linear.weight.dtype))
        return features
