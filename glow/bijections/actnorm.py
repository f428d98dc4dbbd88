"""ActNorm: one scale and one bias per channel, initialized from data."""

import math
from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from glow.bijections.bijection import Bijection, per_channel
from glow.bijections.folding import Foldable, Folded, Setting
from glow.bijections.frozen import Freezable


class ChannelAffines(NamedTuple):
    """K maps ``y = (x + bias) * scale`` of C channels.

    Args:
        scale: The scales (K,C).
        bias: The biases (K,C).
        log_abs_det: What one position adds to ``log_det``, ``sum(log|scale|)``, (K,).
    """

    scale: Tensor
    bias: Tensor
    log_abs_det: Tensor

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Return ``a`` and ``b``, both (K,C), of ``y = a * x + b``, to fold into other layers."""
        return self.scale, self.scale * self.bias


class ChannelAffine(Bijection, Foldable):
    """Shift and scale every channel: ``y = (x + bias) * scale``.

    ``log_det = H * W * sum(log|scale|)``; vectors have a single position instead of H * W.
    """

    @classmethod
    @abstractmethod
    def stack(cls, layers: Sequence[Self]) -> ChannelAffines:
        """Return the scales and biases of K layers of one kind."""

    @classmethod
    def fold(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Compute scales, biases and ``log_det`` of K layers."""
        scale, bias, log_abs_det = cls.stack(layers)
        log_det = math.prod(setting.size) * log_abs_det
        stacks = (scale.unbind(), bias.unbind(), log_det.unbind())
        return [Folded(setting, tensors) for tensors in zip(*stacks, strict=True)]

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Return ``a`` and ``b``, both (C,), of ``y = a * x + b``, to fold into another layer."""
        scale, shift = self.stack([self]).scale_and_shift()
        return scale[0], shift[0]

    def forward(
        self, x: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> tuple[Tensor, Tensor]:
        """Shift, then scale (B,C,...)."""
        scale, bias, log_det = self.folded_for(x, folded).tensors
        y = (x.movedim(1, -1) + bias) * scale
        return y.movedim(-1, 1), log_det.expand(x.shape[0])

    def inverse(
        self, y: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> Tensor:
        """Undo the scale, then the shift."""
        scale, bias, _ = self.folded_for(y, folded, inverse=True).tensors
        return (y.movedim(1, -1) / scale - bias).movedim(-1, 1)


class ActNorm(ChannelAffine, Freezable):
    r"""Shift and scale every channel: ``y = (x + bias) * exp(f * log_scale)``.

    The factor f makes the scale learn faster than the bias. The layer is the identity until
    ``initialize`` or ``load_state_dict`` sets it, and nothing else does.

    Paper section 3.1; ``actnorm`` of the reference.

    Args:
        channels: The number of channels, or of features.
        log_scale_factor: The factor f, 3 in the reference.
    """

    initialized: Tensor

    def __init__(self, channels: int, log_scale_factor: float = 3.0) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.log_scale_factor = log_scale_factor
        self.register_buffer("initialized", torch.tensor(False))

    def kind(self) -> Hashable:
        """Return the number of channels and the factor."""
        return len(self.bias), self.log_scale_factor

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> ChannelAffines:
        """Exponentiate the log-scales."""
        log_scale = layers[0].log_scale_factor * torch.stack([layer.log_scale for layer in layers])
        bias = torch.stack([layer.bias for layer in layers])
        return ChannelAffines(log_scale.exp(), bias, log_scale.sum(1))

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Give every channel of y mean 0 and variance 1 (biased), unless that has been done."""
        if not self.initialized:
            axes = (0, *range(2, x.ndim))
            mean = x.mean(axes)
            std = (x - per_channel(mean, x)).square().mean(axes).sqrt()
            self.bias.copy_(-mean)
            # The reference adds 1e-6, so that a channel without variance stays finite.
            self.log_scale.copy_(-(std + 1e-6).log() / self.log_scale_factor)
            self.initialized.fill_(True)
        return super().initialize(x, context)

    @torch.no_grad()
    def frozen(self) -> "FixedAffine":
        """Return the same map with its scale as a buffer."""
        return FixedAffine(self)


class FixedAffine(ChannelAffine, Freezable):
    """A ``ChannelAffine`` without parameters: what an ``ActNorm`` is once it is trained.

    Args:
        source: The map whose values are copied.
    """

    scale: Tensor
    bias: Tensor
    log_abs_det: Tensor

    def __init__(self, source: ChannelAffine) -> None:
        super().__init__()
        for name, values in source.stack([source])._asdict().items():
            self.register_buffer(name, values[0].detach().clone())

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> ChannelAffines:
        """Return the buffers."""
        return ChannelAffines(
            torch.stack([layer.scale for layer in layers]),
            torch.stack([layer.bias for layer in layers]),
            torch.stack([layer.log_abs_det for layer in layers]),
        )

    def frozen(self) -> "FixedAffine":
        """Return this layer."""
        return self
