"""What lives in which level of the latents."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from glow import in_batches
from glow.figures.image_table import image_table
from glow.figures.samples import told
from glow.in_batches import BATCH_SIZE
from glow.latents import Latents
from glow.manipulation import keep_levels, resample
from glow.model import Glow


def resamplings(
    model: Glow,
    images: Tensor,
    labels: Tensor | None = None,
    n_draws: int = 2,
    temperature: float | Sequence[float] = 0.7,
    seed: int = 0,
    image_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw images, uint8 (B,C,H,W), with the noise of one level drawn anew, of each in turn.

    What changes from the real image lives in that level, and what stays lives in the others.
    """
    if n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, got {n_draws}")
    latents = in_batches.encode(model, images, labels, batch_size)
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
        title=f"One level drawn anew, at temperature {told(temperature)}",
        row_labels=image_names,
        column_labels=["real", *(name for name in names for _ in range(n_draws))],
    )


def reconstructions(
    model: Glow,
    images: Tensor,
    labels: Tensor | None = None,
    image_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw images, uint8 (B,C,H,W), decoded from ever fewer levels: the finest is dropped first.

    What is dropped becomes 0, the likeliest noise. The second column has all levels, the last none.
    """
    latents = in_batches.encode(model, images, labels, batch_size)
    last = len(latents)
    kept = [range(first, last + 1) for first in range(1, last + 2)]
    names = [f"levels {k[0]}-{last}" if len(k) > 1 else f"level {last}" for k in kept[:-1]]
    return _beside_the_images(
        model,
        images,
        [keep_levels(latents, levels) for levels in kept],
        labels,
        batch_size,
        title=f"Decoded from some levels, 1 being the finest of {last}",
        row_labels=image_names,
        column_labels=["real", *names, "none"],
    )


def _beside_the_images(
    model: Glow,
    images: Tensor,
    latents: Sequence[Latents],
    labels: Tensor | None,
    batch_size: int,
    **texts: str | Sequence[str],
) -> Figure:
    decoded = [in_batches.decode(model, one, labels, batch_size) for one in latents]
    return image_table(torch.stack([images.cpu(), *decoded], dim=1), **texts)  # type: ignore[arg-type]


def _level_names(n_levels: int) -> list[str]:
    names = [f"level {level}" for level in range(1, n_levels + 1)]
    if n_levels > 1:
        names[0] += "\nfinest"
        names[-1] += "\ncoarsest"
    return names
