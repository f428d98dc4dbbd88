"""ActNorm: one scale and one bias per channel, initialized from data."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from glow.bijections.bijection import Bijection, log_det_per_position, per_channel
from glow.bijections.frozen import Freezable


class ChannelAffine(Bijection):
    """Shift and scale every channel: ``y = (x + bias) * scale``.

    ``log_det = H * W * sum(log|scale|)``; vectors have a single position instead of H * W.
    """

    bias: Tensor

    @abstractmethod
    def scale(self, power: int = 1) -> Tensor:
        """Return the scale (C,), or its inverse for ``power=-1``."""

    @abstractmethod
    def log_abs_det(self) -> Tensor:
        """Return what one position adds to ``log_det``, a scalar."""

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Return ``a`` and ``b``, both (C,), of ``y = a * x + b``, to fold into another layer."""
        scale = self.scale()
        return scale, scale * self.bias

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Shift, then scale (B,C,...)."""
        y = (x + per_channel(self.bias, x)) * per_channel(self.scale(), x)
        return y, log_det_per_position(self.log_abs_det(), x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Undo the scale, then the shift."""
        return y * per_channel(self.scale(-1), y) - per_channel(self.bias, y)


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

    def scale(self, power: int = 1) -> Tensor:
        """Return ``exp(f * log_scale)`` (C,), or its inverse for ``power=-1``."""
        return (power * self.log_scale_factor * self.log_scale).exp()

    def log_abs_det(self) -> Tensor:
        """Return ``sum(f * log_scale)``."""
        return self.log_scale_factor * self.log_scale.sum()

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
        """Return the same map with its scales as buffers."""
        return FixedAffine(self)


class FixedAffine(ChannelAffine):
    """A ``ChannelAffine`` without parameters: what an ``ActNorm`` is once it is trained.

    Args:
        source: The map whose values are copied.
    """

    scales: Tensor
    position_log_det: Tensor

    def __init__(self, source: ChannelAffine) -> None:
        super().__init__()
        self.register_buffer("bias", source.bias.detach().clone())
        self.register_buffer("scales", torch.stack([source.scale(), source.scale(-1)]).detach())
        self.register_buffer("position_log_det", source.log_abs_det().detach())

    def scale(self, power: int = 1) -> Tensor:
        """Return the buffer."""
        return self.scales[0 if power == 1 else 1]

    def log_abs_det(self) -> Tensor:
        """Return the buffer."""
        return self.position_log_det
