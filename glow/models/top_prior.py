"""Top priors: the Gaussian of what is left after the last level, possibly given a class."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections import (
    Bijection,
    degaussianize,
    full_precision,
    gaussianize,
    per_channel,
    zero_log_det,
)
from glow.nets import LabelEmbedding, ZeroLinear, edge_map


class TopPrior(Bijection):
    """Gaussianize the top latent: ``eps = (z - mean) / exp(log_std)``.

    The context is class labels (B,). Subclasses say where mean and log-std come from; they are
    built from the number of channels, and those without classes ignore the labels.
    """

    @abstractmethod
    def mean_and_log_std(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return mean and log-std, of shapes that broadcast to that of z.

        Args:
            z: The top latent (B,C,...), or its noise; only the shape matters.
            labels: Class labels (B,), or None.
        """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map the top latent (B,C,...) to noise."""
        with full_precision(x):
            return gaussianize(x, *self.mean_and_log_std(x, context))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Map noise (B,C,...) back to the top latent."""
        with full_precision(y):
            return degaussianize(y, *self.mean_and_log_std(y, context))

    def classification_loss(self, eps: Tensor, labels: Tensor | None) -> Tensor:
        """Return what a classifier adds to the training loss, (B,), in nats: here 0.

        Args:
            eps: The noise of the top latent (B,C,...).
            labels: Class labels (B,), or None.
        """
        return zero_log_det(eps)


class StandardPrior(TopPrior):
    """z is N(0, I)."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def mean_and_log_std(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return zeros."""
        zero = z.new_zeros(())
        return zero, zero


class LearnedPrior(TopPrior):
    """z is N(mean, std), both learned per channel, and different along the edge of an image.

    The reference convolves a map of zeros with its ``conv2d_zeros``. What remains of that is
    ``(bias + edge map) * exp(f * log_scale)``, whose halves are mean and log-std. Vectors (B,D)
    have no edge, and no edge map.

    ``prior`` of the reference with ``learntop``.

    Args:
        channels: The number of channels of z.
        edge_indicator: Whether there is an edge map; False for vectors.
        log_scale_factor: The factor f, 3 in the reference.
    """

    edge_weight: nn.Parameter | None

    def __init__(
        self, channels: int, *, edge_indicator: bool = True, log_scale_factor: float = 3.0
    ) -> None:
        super().__init__()
        if edge_indicator:
            self.edge_weight = nn.Parameter(torch.zeros(2 * channels, 1, 3, 3))
        else:
            self.register_parameter("edge_weight", None)
        self.bias = nn.Parameter(torch.zeros(2 * channels))
        self.log_scale = nn.Parameter(torch.zeros(2 * channels))
        self.log_scale_factor = log_scale_factor

    def mean_and_log_std(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return both as (C,H,W), or (C,1,...) without an edge map."""
        out = per_channel(self.bias, z)
        if self.edge_weight is not None:
            if z.ndim != 4:
                raise ValueError(
                    f"an edge map needs images (B,C,H,W), got {tuple(z.shape)}; for other shapes, "
                    "build LearnedPrior with edge_indicator=False"
                )
            out = out + edge_map(self.edge_weight, *z.shape[2:]).movedim(-1, 0)
        out = out * per_channel((self.log_scale_factor * self.log_scale).exp(), z)
        mean, log_std = out.chunk(2)
        return mean, log_std


class ClassConditionalPrior(TopPrior):
    """z is N(mean, std) given the class: a learned shift of both is added to those of ``base``.

    With a ``classification_weight`` above 0, the top latent must also predict the class: a linear
    classifier reads its spatial mean, and weight times its cross-entropy is added to the training
    loss; the likelihood does not change. Paper appendix D; ``prior`` and ``classifier`` of the
    reference with ``ycond`` and ``weight_y``.

    Args:
        channels: The number of channels of z.
        n_classes: The number of classes.
        base: A function of the number of channels that builds the prior without classes.
        classification_weight: The weight of the classifier's loss; 0 for no classifier.

    Raises:
        ValueError: If ``n_classes`` is less than 1.
    """

    def __init__(
        self,
        channels: int,
        *,
        n_classes: int,
        base: Callable[[int], TopPrior] = LearnedPrior,
        classification_weight: float = 0.0,
    ) -> None:
        super().__init__()
        if n_classes < 1:
            raise ValueError(
                "a class-conditional prior needs at least 1 class, but the data has "
                f"n_classes={n_classes}"
            )
        self.classification_weight = classification_weight
        self.base = base(channels)
        self.shift = LabelEmbedding(n_classes, 2 * channels)
        self.classifier = ZeroLinear(channels, n_classes) if classification_weight > 0 else None

    def mean_and_log_std(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return both as (B,C,H,W) or (B,C,1,...)."""
        mean, log_std = self.base.mean_and_log_std(z, labels)
        shift: Tensor = self.shift(labels, z.shape[0])
        shift_mean, shift_log_std = shift.view(*shift.shape, *[1] * (z.ndim - 2)).chunk(2, dim=1)
        return mean + shift_mean, log_std + shift_log_std

    def classification_loss(self, eps: Tensor, labels: Tensor | None) -> Tensor:
        """Return weight times cross-entropy, (B,), in nats."""
        if self.classifier is None:
            return super().classification_loss(eps, labels)
        with full_precision(eps):
            logits = self.class_logits(self.inverse(eps, labels))
        assert labels is not None  # inverse needs them, too
        return self.classification_weight * F.cross_entropy(logits, labels.long(), reduction="none")

    def class_logits(self, z: Tensor) -> Tensor:
        """Return the classifier's logits for the top latent.

        Args:
            z: The top latent (B,C,...).

        Returns:
            Logits (B,n_classes).

        Raises:
            ValueError: If the prior has no classifier.
        """
        if self.classifier is None:
            raise ValueError("no classifier here: build the prior with classification_weight > 0")
        logits: Tensor = self.classifier(z.flatten(2).mean(2) if z.ndim > 2 else z)
        return logits
