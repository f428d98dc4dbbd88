"""Images in rows and columns: what all pictures of pictures are made of."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from einops import rearrange
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid


def image_table(
    rows: Tensor | Iterable[Tensor],
    title: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> Figure:
    """Lay out rows of uint8 images, each (N,C,H,W), as one table with labelled rows and columns.

    Images with neither 1 nor 3 channels are shown as the grey mean of them.
    """
    table = _shown(torch.stack(list(rows)).cpu())
    n_rows, n_columns, _, height, width = table.shape
    gap = max(1, height // 16)
    picture = make_grid(table.flatten(0, 1), nrow=n_columns, padding=gap, pad_value=255)

    inches = 0.6 if max(height, width) < 48 else 0.9  # the longer side of one image
    across = n_columns * inches * min(1, width / height)
    down = n_rows * inches * min(1, height / width)
    margin = 0.15 + 0.09 * max(map(len, row_labels), default=0)
    figure = Figure(figsize=(max(across + margin, 3.5), down + 0.7), layout="constrained")
    axes = figure.subplots()
    axes.imshow(rearrange(picture, "c h w -> h w c").numpy(), interpolation="nearest")
    axes.set_title(title, fontsize=11)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8, labeltop=True, labelbottom=False)
    axes.set_yticks([], [])
    axes.set_xticks([], [])
    if row_labels:
        axes.set_yticks([gap + (i + 0.5) * (height + gap) for i in range(n_rows)], row_labels)
    if column_labels:
        axes.set_xticks([gap + (i + 0.5) * (width + gap) for i in range(n_columns)], column_labels)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure to a file, making its folder; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    return path


def animate(ways: Tensor, path: Path, seconds: float = 3.0, least_size: int = 96) -> Path:
    """Write ways, uint8 (B,T,C,H,W), side by side as a GIF file that goes there and back.

    Images smaller than ``least_size`` are enlarged, each pixel to a square. A GIF has 256 colours a
    frame: grey images are exact in it, colours are not.
    """
    frames = _shown(ways.cpu()).transpose(0, 1)
    frames = torch.cat([frames, frames.flip(0)[1:-1]])
    scale = max(1, least_size // max(frames.shape[-2:]))
    pictures = []
    for images in frames:
        larger = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
        row = make_grid(larger, nrow=len(larger), padding=2 * scale, pad_value=255)
        pictures.append(Image.fromarray(rearrange(row, "c h w -> h w c").numpy()))
    path.parent.mkdir(parents=True, exist_ok=True)
    duration = round(2000 * seconds / len(frames))
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration, loop=0)
    return path


def _shown(images: Tensor) -> Tensor:
    """Return images (...,C,H,W) as they can be shown: with neither 1 nor 3 channels, their mean."""
    if images.shape[-3] in (1, 3):
        return images
    return images.float().mean(dim=-3, keepdim=True).byte()
