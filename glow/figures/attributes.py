"""Images that are moved along directions of attributes."""

from collections.abc import Sequence

import torch
from einops import rearrange
from matplotlib.figure import Figure
from torch import Tensor

from glow.attributes import Directions
from glow.figures.image_table import image_table
from glow.in_batches import BATCH_SIZE
from glow.manipulation import move_images
from glow.model import Glow


def attributes(
    model: Glow,
    images: Tensor,
    directions: Directions,
    names: Sequence[str],
    strengths: Sequence[float] = (-2.0, -1.0, 0.0, 1.0, 2.0),
    labels: Tensor | None = None,
    image_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw images, uint8 (B,C,H,W), moved along each named direction, one row for each of both.

    Columns are the strengths: 1 is the whole difference that the attribute makes. Paper figure 6.
    """
    moved = [
        move_images(
            model, images, directions[name], strengths, labels=labels, batch_size=batch_size
        )
        for name in names
    ]
    real = images.cpu()[:, None]
    rows = [torch.cat([real, of_name], dim=1) for of_name in moved]
    who = image_names or [f"image {i}" for i in range(len(images))]
    return image_table(
        rearrange(rows, "name b s c h w -> (b name) s c h w"),
        title=f"Moved along {', '.join(names)}\n({directions.method})",
        row_labels=[f"{one}, {name}" if len(names) > 1 else one for one in who for name in names],
        column_labels=["real", *(f"{strength:+g}" if strength else "0" for strength in strengths)],
    )
