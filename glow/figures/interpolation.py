"""Ways through the latent space between real images."""

from collections.abc import Mapping, Sequence

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
    names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw the ways from images ``start`` to images ``end``, uint8 (B,C,H,W), by all paths.

    The first and last column are the very images; see ``interpolate_images``. Names are of the
    ways. Paper figure 5.
    """
    labels = {"start_labels": start_labels, "end_labels": end_labels}
    ways = [
        interpolate_images(model, start, end, n_frames, path, **labels, batch_size=batch_size)
        for path in paths.values()
    ]
    of_ways = names or [""] * len(start)
    return image_table(
        rearrange(ways, "path b frame c h w -> (b path) frame c h w"),
        title="Interpolation in latent space between real images",
        row_labels=[f"{name}\n{path}".strip() for name in of_ways for path in paths],
        column_labels=["real", *_positions(n_frames)[1:-1], "real"],
    )


def moving_interpolation(ways: Mapping[str, Tensor], names: Sequence[str] = ()) -> list[Figure]:
    """Draw each frame as a figure, for ``animate``: ways in rows, the paths by name in columns.

    Ways are those of ``interpolate_images``, (B,T,C,H,W).
    """
    return [
        image_table(
            frame,
            title="Interpolation between real images",
            row_labels=names,
            column_labels=[path.replace("-", "-\n") for path in ways],
        )
        for frame in rearrange([*ways.values()], "path b frame c h w -> frame b path c h w")
    ]


def corners(
    model: Glow,
    images: Tensor,
    labels: Tensor | None = None,
    n_frames: int = 7,
    path: Path = linear,
    names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw what lies between 4 real images, uint8 (4,C,H,W); see ``interpolate_corners``."""
    square = interpolate_corners(
        model, images, n_frames, path, labels=labels, batch_size=batch_size
    )
    who = f"\n{names[0]}, {names[1]}; {names[2]}, {names[3]}" if names else ""
    return image_table(
        square,
        title=f"Between the four real images in the corners{who}",
        row_labels=_positions(n_frames),
        column_labels=_positions(n_frames),
    )


def _positions(n_frames: int) -> list[str]:
    return [f"{t:.3g}" for t in torch.linspace(0, 1, n_frames).tolist()]
