"""Images in rows and columns, on which all figures of images are based."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from einops import rearrange
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from glow.figures.text import shown_text

DPI = 150


def image_table(
    rows: Tensor | Iterable[Tensor],
    title: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> Figure:
    """Lay out images as a table with labelled rows and columns.

    Images with neither 1 nor 3 channels are shown as the gray mean of their channels. Labels may
    hold any characters, such as those of file names; long lines are shortened.

    Args:
        rows: Rows of uint8 images, each (N,C,H,W).
        title: The title of the figure.
        row_labels: One label per row, or none.
        column_labels: One label per column, or none.

    Returns:
        The figure.

    Raises:
        ValueError: If there are no rows, or rows of different shapes.
    """
    table = _shown(_stacked(rows))
    row_labels = [shown_text(label) for label in row_labels]
    column_labels = [shown_text(label) for label in column_labels]
    n_rows, n_columns, _, height, width = table.shape
    gap = max(1, height // 16)
    # A gap to the right of each image and below it, and above the table and to its left.
    picture = rearrange(
        F.pad(table, (0, gap, 0, gap), value=255), "row column c h w -> c (row h) (column w)"
    )
    picture = F.pad(picture, (gap, 0, gap, 0), value=255).expand(3, -1, -1)

    # Images are so large that no label overlaps the next.
    inches = max(
        0.6 if max(height, width) < 48 else 0.9,
        0.07 * _longest_line(column_labels) * max(1, height / width),
        0.15 * max(label.count("\n") + 1 for label in (*row_labels, "")) * max(1, width / height),
    )
    across = n_columns * inches * min(1, width / height) + 0.15 + 0.09 * _longest_line(row_labels)
    down = n_rows * inches * min(1, height / width) + 0.7
    figure = Figure(figsize=(max(across, 3.5), down), layout="constrained")
    axes = figure.subplots()
    axes.imshow(rearrange(picture, "c h w -> h w c").numpy(), interpolation="nearest")
    axes.set_title(shown_text(title, 250), fontsize=11, parse_math=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8, labeltop=True, labelbottom=False)
    axes.set_yticks([], [])
    axes.set_xticks([], [])
    if row_labels:
        middles = [gap + (i + 0.5) * (height + gap) for i in range(n_rows)]
        axes.set_yticks(middles, row_labels, parse_math=False)
    if column_labels:
        middles = [gap + (i + 0.5) * (width + gap) for i in range(n_columns)]
        axes.set_xticks(middles, column_labels, parse_math=False)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure to a file, creating its folder.

    Args:
        figure: The figure.
        path: The file to write.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, bbox_inches="tight")
    return path


def animate(figures: Iterable[Figure], path: Path, seconds: float = 6.0) -> Path:
    """Write figures as the frames of a GIF file that plays back and forth.

    Colors are not exact, because a GIF has 256 of them per frame.

    Args:
        figures: Figures of the same size and layout.
        path: The file to write.
        seconds: How long it takes to play back and forth.

    Returns:
        The path.
    """
    frames = []
    for figure in figures:
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight")
        frames.append(Image.open(file).convert("RGB"))
    frames += frames[-2:0:-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    duration = round(1000 * seconds / len(frames))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, loop=0)
    return path


def _longest_line(labels: Sequence[str]) -> int:
    return max(len(line) for label in (*labels, "") for line in label.split("\n"))


def _stacked(rows: Tensor | Iterable[Tensor]) -> Tensor:
    """Stack the rows to (R,N,C,H,W)."""
    every = list(rows)
    shapes = {tuple(row.shape) for row in every}
    if len(shapes) != 1:
        raise ValueError(
            "a table needs at least one row, and images of one shape, got rows of shapes "
            f"{sorted(shapes)}"
        )
    return torch.stack(every).cpu()


def _shown(images: Tensor) -> Tensor:
    """Return images (...,C,H,W) with 1 or 3 channels: the mean of any other number."""
    if images.shape[-3] in (1, 3):
        return images
    return images.float().mean(dim=-3, keepdim=True).byte()
