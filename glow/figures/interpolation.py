"""Ways through the latent space between real images."""

from collections.abc import Mapping

import torch
from einops import rearrange
from matplotlib.figure import Figure
from torch import Tensor

from glow.figures.image_table import image_table
from glow.in_batches import BATCH_SIZE
from glow.manipulation import (
    Path,
    interpolate_corners,
    interpolate_images,
    linear,
    norm_preserving,
    spherical,
)
from glow.model import Glow

PATHS = {"linear": linear, "spherical": spherical, "norm-preserving": norm_preserving}


def interpolation(
    model: Glow,
    start: Tensor,
    end: Tensor,
    start_labels: Tensor | None = None,
    end_labels: Tensor | None = None,
    n_frames: int = 9,
    paths: Mapping[str, Path] = PATHS,
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw the ways from images ``start`` to images ``end``, uint8 (B,C,H,W), by all paths.

    The first and last column are the very images; see ``interpolate_images``. Paper figure 5.
    """
    ways = [
        interpolate_images(
            model,
            start,
            end,
            n_frames,
            path,
            start_labels=start_labels,
            end_labels=end_labels,
            batch_size=batch_size,
        )
        for path in paths.values()
    ]
    return image_table(
        rearrange(ways, "path b frame c h w -> (b path) frame c h w"),
        title="Interpolation in latent space between real images",
        row_labels=[*paths] * len(start),
        column_labels=["real", *_positions(n_frames)[1:-1], "real"],
    )


def corners(
    model: Glow,
    images: Tensor,
    labels: Tensor | None = None,
    n_frames: int = 7,
    path: Path = linear,
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw what lies between 4 real images, uint8 (4,C,H,W); see ``interpolate_corners``."""
    square = interpolate_corners(
        model, images, n_frames, path, labels=labels, batch_size=batch_size
    )
    ticks = _positions(n_frames)
    return image_table(
        square,
        title="Between the four real images in the corners",
        row_labels=ticks,
        column_labels=ticks,
    )


def _positions(n_frames: int) -> list[str]:
    return [f"{t:.3g}" for t in torch.linspace(0, 1, n_frames).tolist()]
