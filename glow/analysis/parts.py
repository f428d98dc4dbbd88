"""Which parts of a model an image's bits are from: dequantization, and every level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from glow.bijections import full_precision
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.models import ImageFlow
from glow.noise import noise_per_image


@dataclass(frozen=True)
class Parts:
    """The summands of bits/dim, float64, one column for each of B images.

    ``total = dequantization + sum over levels of (noise + volume)``.

    Args:
        dequantization: What the volume of a bin costs: ``n_bits`` for uniform dequantization (B,).
        noise: ``-log N(eps_l; 0, I)`` of every level (L,B), finest first.
        volume: ``-log_det`` of every level (L,B).
    """

    dequantization: Tensor
    noise: Tensor
    volume: Tensor

    @property
    def total(self) -> Tensor:
        """Bits/dim (B,)."""
        return self.dequantization + (self.noise + self.volume).sum(0)


@torch.no_grad()
def likelihood_parts(model: ImageFlow, images: Tensor, labels: Tensor | None = None) -> Parts:
    """Compute the parts of the bits/dim of images, always the same ones.

    Each image determines its noise, as in ``glow.analysis.batches.bits_per_dim``.

    Args:
        model: The model.
        images: uint8 (B,C,H,W).
        labels: Class labels (B,), if the model has classes.

    Returns:
        The parts, on the CPU.
    """
    with full_precision(images):
        latents, log_dets = model.forward_by_level(images, labels, noise=noise_per_image(images))
    dequantization, *by_level = log_dets
    noise = torch.stack([standard_normal_log_prob([eps]) for eps in latents])
    parts = (
        bits_per_dim(nats.cpu().double(), model.image_shape)
        for nats in (dequantization, noise, torch.stack(by_level))
    )
    return Parts(*parts)
