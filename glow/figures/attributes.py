"""Images moved along directions of attributes."""

from collections.abc import Sequence

import torch
from einops import rearrange
from matplotlib.figure import Figure
from torch import Tensor

from glow.analysis.attributes import Directions
from glow.analysis.batches import BATCH_SIZE
from glow.analysis.editing import move_images
from glow.figures.image_table import image_table
from glow.models import ImageFlow


def attributes(
    model: ImageFlow,
    images: Tensor,
    directions: Directions,
    names: Sequence[str],
    strengths: Sequence[float] = (-2.0, -1.0, 0.0, 1.0, 2.0),
    labels: Tensor | None = None,
    image_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw images moved along directions, one row for each image and direction. Paper figure 6.

    Args:
        model: The model.
        images: uint8 (B,C,H,W).
        directions: The directions of attributes.
        names: The attributes to draw.
        strengths: The columns; 1 is the difference that the attribute makes.
        labels: Class labels (B,), if the model has classes.
        image_names: The names of the images.
        batch_size: The number of images at a time.

    Returns:
        The figure.
    """
    moved = [
        move_images(
            model, images, directions[name], strengths, labels=labels, batch_size=batch_size
        )
        for name in names
    ]
    real = images.cpu()[:, None]
    rows = [torch.cat([real, along_one], dim=1) for along_one in moved]
    who = image_names or [f"image {i}" for i in range(len(images))]
    return image_table(
        rearrange(rows, "name b s c h w -> (b name) s c h w"),
        title=f"Moved along {', '.join(names)}\n({directions.method})",
        row_labels=[f"{one}, {name}" if len(names) > 1 else one for one in who for name in names],
        column_labels=["given", *(f"{strength:+g}" if strength else "0" for strength in strengths)],
    )
