"""Top priors: the Gaussian of what is left after the last level, possibly given a class."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.layers.bijection import full_precision, zero_log_det
from glow.layers.edge_conv import edge_bias
from glow.layers.gaussian import degaussianize, gaussianize
from glow.layers.zero_conv import ZeroLinear


class TopPrior(nn.Module, ABC):
    """Gaussianize the top latent: a ``Bijection`` that may also look at labels.

    ``eps = (z - mean) / exp(log_std)``. Subclasses say where mean and log-std come from; they are
    built from the number of channels, and those that know no classes ignore labels.
    """

    n_classes: int = 0

    @abstractmethod
    def mean_and_log_std(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return both, of a shape that broadcasts to z's; of z only the shape matters."""

    def forward(self, z: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map z (B,C,H,W), given labels (B,), to eps (B,C,H,W) and log_det (B,), in nats."""
        with full_precision(z):
            return gaussianize(z, *self.mean_and_log_std(z, labels))

    def inverse(self, eps: Tensor, labels: Tensor | None = None) -> Tensor:
        """Map eps (B,C,H,W), given labels (B,), back to z (B,C,H,W)."""
        with full_precision(eps):
            return degaussianize(eps, *self.mean_and_log_std(eps, labels))

    def classification_loss(self, eps: Tensor, labels: Tensor | None) -> Tensor:
        """Return what a classifier adds to the training loss, (B,), in nats: here nothing."""
        return zero_log_det(eps)


class StandardPrior(TopPrior):
    """z is N(0, I) itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def mean_and_log_std(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return zeros."""
        zero = z.new_zeros(())
        return zero, zero


class LearnedPrior(TopPrior):
    """z is N(mean, std), both learned per channel, and different along the border.

    The reference sends a map of zeros through its ``conv2d_zeros``. What is left of that is
    ``(bias + edge bias map) * exp(f * log_scale)``, mean and log-std being the halves of it.

    ``prior`` of the reference with ``learntop``.
    """

    def __init__(self, channels: int, *, log_scale_factor: float = 3.0) -> None:
        super().__init__()
        self.edge_weight = nn.Parameter(torch.zeros(2 * channels, 1, 3, 3))
        self.bias = nn.Parameter(torch.zeros(2 * channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(2 * channels, 1, 1))
        self.log_scale_factor = log_scale_factor

    def mean_and_log_std(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return both as (C,H,W)."""
        height, width = z.shape[-2:]
        out = self.bias + edge_bias(self.edge_weight, height, width).permute(2, 0, 1)
        out = out * (self.log_scale_factor * self.log_scale).exp()
        mean, log_std = out.chunk(2)
        return mean, log_std


class ClassConditionalPrior(TopPrior):
    """z is N(mean, std) given the class: a learned shift of both is added to those of ``base``.

    With a ``classification_weight`` above 0 the top latent also has to tell the class: a linear
    classifier reads its spatial mean, and weight times its cross-entropy joins the training loss
    (the likelihood is untouched). Paper appendix D; ``prior`` and ``classifier`` of the reference
    with ``ycond`` and ``weight_y``.
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
        self.n_classes = n_classes
        self.classification_weight = classification_weight
        self.base = base(channels)
        self.shift = ZeroLinear(n_classes, 2 * channels)
        self.classifier = ZeroLinear(channels, n_classes) if classification_weight > 0 else None

    def mean_and_log_std(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return both as (B,C,H,W) or (B,C,1,1)."""
        mean, log_std = self.base.mean_and_log_std(z, labels)
        one_hot = F.one_hot(self._checked(labels, len(z)), self.n_classes).to(z.dtype)
        shift_mean, shift_log_std = self.shift(one_hot)[..., None, None].chunk(2, dim=1)
        return mean + shift_mean, log_std + shift_log_std

    def classification_loss(self, eps: Tensor, labels: Tensor | None) -> Tensor:
        """Return weight times cross-entropy, (B,), in nats."""
        if self.classifier is None:
            return super().classification_loss(eps, labels)
        with full_precision(eps):
            logits = self.class_logits(self.inverse(eps, labels))
        loss = F.cross_entropy(logits, self._checked(labels, len(eps)), reduction="none")
        return self.classification_weight * loss

    def class_logits(self, z: Tensor) -> Tensor:
        """Return the classifier's logits (B, n_classes) for the top latent z (B,C,H,W)."""
        if self.classifier is None:
            raise ValueError("no classifier here: build the prior with classification_weight > 0")
        logits: Tensor = self.classifier(z.mean(dim=(2, 3)))
        return logits

    def _checked(self, labels: Tensor | None, batch: int) -> Tensor:
        legal = f"one integer from 0 to {self.n_classes - 1} for each of the {batch} images"
        if labels is None:
            raise ValueError(f"this model is class-conditional and needs labels, {legal}")
        if labels.shape != (batch,) or labels.is_floating_point():
            raise ValueError(
                f"labels must be {legal}, got {labels.dtype} of shape {tuple(labels.shape)}"
            )
        if labels.device.type == "cpu" and not ((labels >= 0) & (labels < self.n_classes)).all():
            raise ValueError(f"labels must be {legal}, got {labels.min()} to {labels.max()}")
        return labels.long()
