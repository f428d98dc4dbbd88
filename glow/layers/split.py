"""Split: half of the channels leaves as a latent, the other half goes on."""

import torch
from torch import Tensor, nn

from glow.layers.bijection import full_precision
from glow.layers.coupling import NetFactory, half_of
from glow.layers.gaussian import degaussianize, gaussianize
from glow.layers.zero_conv import ZeroConv2d


class Split(nn.Module):
    """Factor out half of the channels, gaussianized given the half that stays.

    ``mean, log_std = prior(kept)`` in interleaved channels, ``eps = (z - mean) / exp(log_std)``.
    It has two outputs, which is why it is no ``Bijection``; ``log_det = -sum(log_std)``.

    Paper section 3.6 and figure 2b; ``split2d`` and ``split2d_prior`` of the reference.
    """

    def __init__(self, channels: int, prior: NetFactory = ZeroConv2d) -> None:
        super().__init__()
        half = half_of(channels, "a split")
        self.prior = prior(half, channels)

    def _mean_and_log_std(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        with full_precision(kept):
            out = self.prior(kept)
        return out[:, 0::2], out[:, 1::2]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (B,C,H,W) to kept (B,C/2,H,W), eps (B,C/2,H,W) and log_det (B,)."""
        kept, z = x.chunk(2, dim=1)
        eps, log_det = gaussianize(z, *self._mean_and_log_std(kept))
        return kept, eps, log_det

    def inverse(self, kept: Tensor, eps: Tensor) -> Tensor:
        """Join the two halves (B,C/2,H,W) to (B,C,H,W) again."""
        return torch.cat([kept, degaussianize(eps, *self._mean_and_log_std(kept))], dim=1)
