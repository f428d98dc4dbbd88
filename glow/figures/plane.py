"""Densities on the plane, and how a flow makes them."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from glow.analysis.stages import stages
from glow.figures.image_table import image_table
from glow.figures.text import shown_text
from glow.models import LayeredDensity
from glow.targets import Distribution, Grid, Target

LogDensity = Callable[[Tensor], Tensor]
COLORS = "magma"
REACH = 2.8  # of the grid of the base, in standard deviations
N_LINES = 15  # of the grid, in each direction
MOST_STAGES = 8


def density_sheet(
    density: LayeredDensity,
    target: Target,
    title: str,
    n_samples: int = 2000,
    n_cells: int = 150,
    seed: int = 0,
) -> Figure:
    """Draw samples and density of a target and a flow, and the grid as the flow bends it.

    Args:
        density: The density, of two features.
        target: Its target.
        title: The title of the figure.
        n_samples: How many points a panel of samples shows.
        n_cells: The number of cells along a side of a panel of a density.
        seed: The seed of the samples.

    Returns:
        The figure.
    """
    generator = torch.Generator().manual_seed(seed)
    grids = _shown_stages(density)
    n_columns = 4
    n_rows = 1 + -(-len(grids) // n_columns)
    figure = Figure(figsize=(1.7 * n_columns, 1.9 * n_rows + 0.3), layout="constrained")
    panels = figure.subplots(n_rows, n_columns).flatten()
    for panel in panels:
        panel.axis("off")
    shown = density_image(lambda x: target.log_density(x) - target.log_normalizer, target, n_cells)
    most = shown.max()
    _draw_image(panels[1], shown, most, target.bound, "density of the target")
    if isinstance(target, Distribution):
        samples = target.sample(n_samples, generator)
        _draw_points(panels[0], samples, target.bound, "samples of the target")
    _draw_points(
        panels[2],
        density.sample(n_samples, generator=generator),
        target.bound,
        "samples of the flow",
    )
    learned = density_image(density.log_prob, target, n_cells)
    _draw_image(panels[3], learned, most, target.bound, "density of the flow")
    for panel, (name, lines) in zip(panels[n_columns:], grids.items(), strict=False):
        _draw_grid(panel, lines, target.bound, name)
    figure.suptitle(shown_text(title, 250), fontsize=9, parse_math=False)
    return figure


def flowing_points(
    density: LayeredDensity, bound: float, n_frames: int, n_points: int = 600, seed: int = 0
) -> list[Figure]:
    """Draw points on their way from the base to the data, for ``animate``.

    Between two layers, points move along straight lines.

    Args:
        density: The density, of two features.
        bound: The frames show [-bound, bound]^2.
        n_frames: The number of frames.
        n_points: The number of points.
        seed: The seed of the points.

    Returns:
        The frames.
    """
    z = density.base.sample(n_points, torch.Generator().manual_seed(seed))
    path = torch.stack(stages(density, z))
    frames = []
    for time in np.linspace(0, len(path) - 1, n_frames):
        before = min(int(time), len(path) - 2)
        points = torch.lerp(path[before], path[before + 1], float(time - before))
        figure = Figure(figsize=(2, 2.2), layout="constrained")
        axes = figure.subplots()
        axes.axis("off")
        _draw_points(axes, points, bound, f"layer {time:.1f} of {len(path) - 1}")
        frames.append(figure)
    return frames


def densities_table(
    rows: Mapping[str, Mapping[str, Tensor]], columns: Sequence[str], title: str
) -> Figure:
    """Draw densities in a table; what is missing stays white.

    Each row has one scale of colors, whose end is the highest density of its first entry.

    Args:
        rows: By the name of the row, then of the column, values (n,n) of ``density_image``.
        columns: The names of the columns.
        title: The title of the figure.

    Returns:
        The figure.
    """
    drawn = []
    for row in rows.values():
        first = next(iter(row.values()))
        colored = {
            name: torch.from_numpy(_colored(values, first.max())).permute(2, 0, 1)
            for name, values in row.items()
        }
        white = torch.full((3, *first.shape), 255, dtype=torch.uint8)
        drawn.append(torch.stack([colored.get(name, white) for name in columns]))
    names = [name.replace("_", " ") for name in rows]
    return image_table(drawn, title, names, [name.replace("_", "\n") for name in columns])


def density_image(log_density: LogDensity, target: Target, n_cells: int) -> Tensor:
    """Return a density over the square that pictures of a target show.

    Args:
        log_density: From points (B,2) to log-densities (B,).
        target: The target, which knows the square.
        n_cells: The number of cells along a side.

    Returns:
        Densities (n,n), the first axis downward and the second to the right.
    """
    values = Grid(target.bound, n_cells).evaluate(log_density, torch.float32)
    return values.exp().T.flip(0)


def _shown_stages(density: LayeredDensity) -> dict[str, Tensor]:
    """Return the grid's lines (2 N,n,2) after some of the layers, by the title of the panel."""
    across = torch.linspace(-REACH, REACH, N_LINES)
    along = torch.linspace(-REACH, REACH, 200)
    a, b = torch.meshgrid(across, along, indexing="ij")
    lines = torch.cat([torch.stack([a, b], -1), torch.stack([b, a], -1)])
    path = stages(density, lines.flatten(0, 1))
    last = len(path) - 1
    chosen = np.linspace(0, last, min(last, MOST_STAGES) + 1).round().astype(int)[1:]
    return {f"grid after {k} of {last} layers": path[k].view_as(lines) for k in chosen}


def _draw_grid(axes: Axes, lines: Tensor, bound: float, title: str) -> None:
    for part, color in zip(lines.chunk(2), ("C0", "C3"), strict=True):
        axes.add_collection(LineCollection(list(part.numpy()), colors=color, linewidths=0.5))
    _frame(axes, bound, title)


def _draw_points(axes: Axes, points: Tensor, bound: float, title: str) -> None:
    x_1, x_2 = points.T.numpy()
    axes.scatter(x_1, x_2, s=1.2, linewidths=0, color="black")
    _frame(axes, bound, title)


def _draw_image(axes: Axes, values: Tensor, most: Tensor, bound: float, title: str) -> None:
    axes.imshow(_colored(values, most), extent=(-bound, bound, -bound, bound))
    _frame(axes, bound, title)


def _frame(axes: Axes, bound: float, title: str) -> None:
    axes.set(xlim=(-bound, bound), ylim=(-bound, bound), aspect="equal")
    axes.set_title(title, fontsize=7)


def _colored(values: Tensor, most: Tensor) -> NDArray[np.uint8]:
    """Return colors (n,n,3) of densities, brightest where they reach the highest value."""
    shares = (values / most).clamp(0, 1).numpy()
    colors: NDArray[np.uint8] = matplotlib.colormaps[COLORS](shares, bytes=True)[..., :3]
    return colors
