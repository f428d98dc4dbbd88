"""What each level of the latents holds."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from glow.analysis import batches
from glow.analysis.batches import BATCH_SIZE
from glow.analysis.levels import keep_levels, resample
from glow.figures.image_table import image_table
from glow.figures.samples import format_temperature
from glow.latents import Latents
from glow.models import ImageFlow


def resamplings(
    model: ImageFlow,
    images: Tensor,
    labels: Tensor | None = None,
    n_draws: int = 2,
    temperature: float | Sequence[float] = 0.7,
    seed: int = 0,
    image_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw images with the noise of one level drawn again, for each level in turn.

    What differs from the real image is what that level holds.

    Args:
        model: The model.
        images: uint8 (B,C,H,W).
        labels: Class labels (B,), if the model has classes.
        n_draws: The number of draws for each level.
        temperature: One number for all levels, or one per level, finest first.
        seed: The seed of the noise.
        image_names: The names of the images.
        batch_size: The number of images at a time.

    Returns:
        The figure.

    Raises:
        ValueError: If ``n_draws`` is less than 1, or a temperature is invalid.
    """
    if n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}")
    latents = batches.encode(model, images, labels, batch_size)
    generator = torch.Generator().manual_seed(seed)
    levels = range(1, len(latents) + 1)
    drawn = [
        resample(model, latents, [level], temperature, generator)
        for level in levels
        for _ in range(n_draws)
    ]
    names = _level_names(len(latents))
    return _beside_the_images(
        model,
        images,
        drawn,
        labels,
        batch_size,
        title=f"One level drawn again, at temperature {format_temperature(temperature)}",
        row_labels=image_names,
        column_labels=["given", *(name for name in names for _ in range(n_draws))],
    )


def reconstructions(
    model: ImageFlow,
    images: Tensor,
    labels: Tensor | None = None,
    image_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw images decoded from fewer and fewer levels, dropping the finest first.

    A dropped level is 0, the most likely noise. The second column has all levels, the last none.

    Args:
        model: The model.
        images: uint8 (B,C,H,W).
        labels: Class labels (B,), if the model has classes.
        image_names: The names of the images.
        batch_size: The number of images at a time.

    Returns:
        The figure.
    """
    latents = batches.encode(model, images, labels, batch_size)
    last = len(latents)
    selected = [range(first, last + 1) for first in range(1, last + 2)]
    names = [f"levels {k[0]}-{last}" if len(k) > 1 else f"level {last}" for k in selected[:-1]]
    return _beside_the_images(
        model,
        images,
        [keep_levels(latents, levels) for levels in selected],
        labels,
        batch_size,
        title=f"Decoded from some levels, 1 being the finest of {last}",
        row_labels=image_names,
        column_labels=["given", *names, "none"],
    )


def _beside_the_images(
    model: ImageFlow,
    images: Tensor,
    latents: Sequence[Latents],
    labels: Tensor | None,
    batch_size: int,
    **texts: str | Sequence[str],
) -> Figure:
    decoded = [batches.decode(model, one, labels, batch_size) for one in latents]
    return image_table(torch.stack([images.cpu(), *decoded], dim=1), **texts)  # type: ignore[arg-type]


def _level_names(n_levels: int) -> list[str]:
    names = [f"level {level}" for level in range(1, n_levels + 1)]
    if n_levels > 1:
        names[0] += "\nfinest"
        names[-1] += "\ncoarsest"
    return names
