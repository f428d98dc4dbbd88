"""What each level of the latents holds: levels that are drawn again, or set to zero."""

from collections.abc import Collection, Sequence

import torch

from glow.latents import Latents
from glow.models import ImageFlow


def resample(
    model: ImageFlow,
    latents: Latents,
    levels: Collection[int],
    temperature: float | Sequence[float] = 1.0,
    generator: torch.Generator | None = None,
) -> Latents:
    """Draw the noise of some levels again; what changes in the images is what those levels hold.

    Args:
        model: The model.
        latents: The latents of images.
        levels: Numbers of levels, from 1, the finest, to L.
        temperature: One number for all levels, or one per level, finest first.
        generator: The source of randomness.

    Returns:
        The latents, with new noise in those levels.

    Raises:
        ValueError: If there is no such level, or a temperature is invalid.
    """
    _check_levels(latents, levels)
    fresh = model.sample_latents(latents.n_images, temperature, generator)
    return Latents(
        new.to(eps.device) if level in levels else eps
        for level, (eps, new) in enumerate(zip(latents, fresh, strict=True), start=1)
    )


def keep_levels(latents: Latents, levels: Collection[int]) -> Latents:
    """Set all levels but some to 0, the most likely noise; what remains is what those levels hold.

    Args:
        latents: The latents of images.
        levels: Numbers of the levels to keep, from 1, the finest, to L.

    Returns:
        The latents, with 0 in all other levels.

    Raises:
        ValueError: If there is no such level.
    """
    _check_levels(latents, levels)
    return Latents(
        eps if level in levels else torch.zeros_like(eps)
        for level, eps in enumerate(latents, start=1)
    )


def _check_levels(latents: Latents, levels: Collection[int]) -> None:
    unknown = [level for level in levels if not 1 <= level <= len(latents)]
    if unknown:
        raise ValueError(
            f"there is no level {unknown[0]}: the {len(latents)} levels are numbered from 1, the "
            f"finest, to {len(latents)}, the coarsest"
        )
