"""A multilayer perceptron, for couplings of vectors."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from glow.nets.label_embedding import LabelEmbedding


class MLP(nn.Module):
    """Linear layers with activations between them, the last one zero-initialized: (B,C) to (B,O).

    Args:
        in_features: The number of input features, C.
        out_features: The number of output features, O.
        width: The number of hidden features.
        depth: The number of hidden layers, at least 1.
        n_classes: If above 0, the context must be class labels (B,), whose embedding is added to
            the first hidden layer.
        activation: What comes after each hidden layer.

    Raises:
        ValueError: If ``depth`` is less than 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        width: int = 64,
        depth: int = 2,
        n_classes: int = 0,
        activation: Callable[[Tensor], Tensor] = torch.relu,
    ) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        self.first = nn.Linear(in_features, width)
        self.labels = LabelEmbedding(n_classes, width) if n_classes else None
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, out_features)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.activation = activation

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute what a coupling does to the other half.

        Args:
            x: Features (B,C).
            context: Class labels (B,), if ``n_classes`` is above 0.

        Returns:
            Features (B,O).

        Raises:
            ValueError: If x is no vector.
        """
        if x.ndim != 2:
            raise ValueError(
                f"an MLP needs vectors (B,C), got {tuple(x.shape)}; images need a network of "
                "convolutions"
            )
        h = self.first(x)
        if self.labels is not None:
            h = h + self.labels(context, h.shape[0])
        for layer in self.hidden:
            h = layer(self.activation(h))
        out: Tensor = self.last(self.activation(h))
        return out
