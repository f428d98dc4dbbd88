"""ActNorm: a scale and a bias per channel, first set from data."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from glow.layers.bijection import Bijection


class ActNorm(Bijection):
    r"""Shift and scale every channel: ``y = (x + bias) * exp(f * log_scale)``.

    ``log_det = H * W * sum(f * log_scale)``. The factor ``f`` (3 in the reference) makes the scale
    learn faster than the bias. Until ``data_dependent_init`` has set it, the layer is the identity,
    and nothing but ``data_dependent_init`` or ``load_state_dict`` raises ``initialized``. While it
    is ``fitting``, the next input sets it, and whoever has folded it into a layer must call it.

    Paper section 3.1; ``actnorm`` of the reference.
    """

    initialized: Tensor

    def __init__(self, channels: int, log_scale_factor: float = 3.0) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale_factor = log_scale_factor
        self.fitting = False
        self.register_buffer("initialized", torch.tensor(False))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalize (B,C,H,W)."""
        if self.fitting:
            self.initialize(x)
            self.fitting = False
        height, width = x.shape[-2:]
        y = (x + self.bias) * self.scale()
        return y, (height * width * self.log_abs_det()).expand(x.shape[0])

    def log_abs_det(self) -> Tensor:
        """Return what one pixel adds to ``log_det``, a scalar."""
        return self.log_scale_factor * self.log_scale.sum()

    def scale(self) -> Tensor:
        """Return ``exp(f * log_scale)``, (C,1,1)."""
        return (self.log_scale_factor * self.log_scale).exp()

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """Return what ``y = scale * x + shift`` takes, both (C,), to fold into other layers."""
        scale = self.scale().flatten()
        return scale, scale * self.bias.flatten()

    def inverse(self, y: Tensor) -> Tensor:
        """Undo the scale, then the shift."""
        return y * (-self.log_scale_factor * self.log_scale).exp() - self.bias

    @torch.no_grad()
    def initialize(self, x: Tensor) -> None:
        """Set the parameters so that every channel of ``y`` has mean 0 and (biased) variance 1."""
        mean = x.mean(dim=(0, 2, 3)).view_as(self.bias)
        std = (x - mean).square().mean(dim=(0, 2, 3)).sqrt().view_as(self.bias)
        self.bias.copy_(-mean)
        # 1e-6 as in the reference: a channel without variance stays finite.
        self.log_scale.copy_(-(std + 1e-6).log() / self.log_scale_factor)
        self.initialized.fill_(True)


@contextmanager
def data_dependent_init(module: nn.Module) -> Iterator[None]:
    """Let the next forward pass through ``module`` initialise its ActNorms from what reaches them.

    Inside the context every ActNorm that is not initialised yet fits itself to its first input,
    before it is applied, so that later layers see normalized activations. Run one forward pass on
    a batch that represents the data (the reference takes 256 images) and no gradient is recorded.
    Layers that are initialised already stay as they are.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, ActNorm)]
    for layer in layers:
        layer.fitting = not layer.initialized
    try:
        with torch.no_grad():
            yield
    finally:
        for layer in layers:
            layer.fitting = False
