"""Moving images along a direction in latent space."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from glow.analysis import batches
from glow.analysis.batches import BATCH_SIZE
from glow.latents import Latents
from glow.models import ImageFlow


def move(latents: Latents, direction: Latents, strength: float) -> Latents:
    """Return ``latents + strength * direction``. Paper section 6.1 and figure 6.

    Args:
        latents: The latents of images.
        direction: The latents of a single image, which are added to those of all images.
        strength: How far to move.

    Raises:
        ValueError: If the shapes differ.
    """
    if latents.shapes != direction.shapes:
        raise ValueError(f"cannot move {latents} along {direction}: the shapes differ")
    return Latents(
        eps + strength * along.to(eps) for eps, along in zip(latents, direction, strict=True)
    )


def move_images(
    model: ImageFlow,
    images: Tensor,
    direction: Latents,
    strengths: Sequence[float],
    *,
    labels: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Move images along a direction by several strengths.

    At strength 0, images keep the upper ``n_bits`` of each pixel.

    Args:
        model: The model.
        images: uint8 (B,C,H,W).
        direction: The latents of a single image.
        strengths: How far to move, S numbers.
        labels: Class labels (B,), if the model has classes.
        batch_size: The number of images at a time.

    Returns:
        uint8 images (B,S,C,H,W).

    Raises:
        ValueError: If there are no strengths, or one is not finite, or the shapes differ.
    """
    check_strengths(strengths)
    latents = batches.encode(model, images, labels, batch_size)
    moved = [
        batches.decode(model, move(latents, direction, strength), labels, batch_size)
        for strength in strengths
    ]
    return torch.stack(moved, dim=1)


def check_strengths(strengths: Sequence[float]) -> None:
    """Raise ``ValueError`` unless there is at least one strength and all are finite numbers."""
    if not strengths or not all(
        isinstance(strength, int | float) and math.isfinite(strength) for strength in strengths
    ):
        raise ValueError(f"strengths must be finite numbers, at least one, got {list(strengths)}")
