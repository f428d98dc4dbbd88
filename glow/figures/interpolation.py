"""Interpolation between real images through the latent space."""

from collections.abc import Mapping, Sequence

import torch
from einops import rearrange
from matplotlib.figure import Figure
from torch import Tensor

from glow.analysis.batches import BATCH_SIZE
from glow.analysis.interpolation import (
    Interpolant,
    interpolate_corners,
    interpolate_images,
    linear,
    norm_preserving,
    spherical,
)
from glow.figures.image_table import image_table
from glow.models import ImageFlow

INTERPOLANTS = {"linear": linear, "spherical": spherical, "norm-preserving": norm_preserving}


def interpolation(
    model: ImageFlow,
    start: Tensor,
    end: Tensor,
    start_labels: Tensor | None = None,
    end_labels: Tensor | None = None,
    n_frames: int = 9,
    interpolants: Mapping[str, Interpolant] = INTERPOLANTS,
    names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw interpolations between images, one row for each pair and interpolant. Paper figure 5.

    The first and the last column are exactly the given images; see ``interpolate_images``.

    Args:
        model: The model.
        start: uint8 images (B,C,H,W).
        end: As many uint8 images.
        start_labels: Class labels (B,) of ``start``, if the model has classes.
        end_labels: Class labels (B,) of ``end``.
        n_frames: The number of columns.
        interpolants: How to go from one end to the other, by name.
        names: The names of the pairs.
        batch_size: The number of images at a time.

    Returns:
        The figure.
    """
    labels = {"start_labels": start_labels, "end_labels": end_labels}
    frames = [
        interpolate_images(model, start, end, n_frames, way, **labels, batch_size=batch_size)
        for way in interpolants.values()
    ]
    pairs = names or [""] * len(start)
    return image_table(
        rearrange(frames, "way b frame c h w -> (b way) frame c h w"),
        title="Interpolation in latent space between real images",
        row_labels=[f"{pair}\n{way}".strip() for pair in pairs for way in interpolants],
        column_labels=["given", *_positions(n_frames)[1:-1], "given"],
    )


def moving_interpolation(frames: Mapping[str, Tensor], names: Sequence[str] = ()) -> list[Figure]:
    """Draw each frame as a figure, for ``animate``: pairs in rows, interpolants in columns.

    Args:
        frames: What ``interpolate_images`` returned, (B,T,C,H,W), by the name of the interpolant.
        names: The names of the pairs.
    """
    return [
        image_table(
            frame,
            title="Interpolation between real images",
            row_labels=names,
            column_labels=[way.replace("-", "-\n") for way in frames],
        )
        for frame in rearrange([*frames.values()], "way b frame c h w -> frame b way c h w")
    ]


def corners(
    model: ImageFlow,
    images: Tensor,
    labels: Tensor | None = None,
    n_frames: int = 7,
    interpolant: Interpolant = linear,
    names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw what is between 4 real images; see ``interpolate_corners``.

    Args:
        model: The model.
        images: uint8 (4,C,H,W): top left, top right, bottom left, bottom right.
        labels: Class labels (4,), if the model has classes.
        n_frames: The number of images along a side.
        interpolant: How to go from one end to the other.
        names: The names of the images.
        batch_size: The number of images at a time.

    Returns:
        The figure.
    """
    square = interpolate_corners(
        model, images, n_frames, interpolant, labels=labels, batch_size=batch_size
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
