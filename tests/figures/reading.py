"""What a figure shows, read back from it."""

import torch
from matplotlib.figure import Figure
from torch import Tensor


def labels_of(figure: Figure) -> tuple[str, list[str], list[str]]:
    """Return the title, the labels of the rows and those of the columns."""
    [axes] = figure.axes
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    return axes.get_title(), rows, columns


def images_of(figure: Figure, n_rows: int, n_columns: int) -> Tensor:
    """Return the images of a table, as they are shown: uint8 (rows,columns,3,H,W)."""
    shown = figure.axes[0].images[0].get_array()
    assert shown is not None
    pixels = torch.as_tensor(shown).permute(2, 0, 1)
    gap, height, width = next(
        (gap, down - gap, across - gap)
        for gap in range(1, 100)
        for down in [(pixels.shape[1] - gap) // n_rows]
        for across in [(pixels.shape[2] - gap) // n_columns]
        if gap == max(1, (down - gap) // 16)
    )
    tiles = pixels[:, gap:, gap:].unfold(1, height, height + gap).unfold(2, width, width + gap)
    return tiles.permute(1, 2, 0, 3, 4)
