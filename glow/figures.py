"""The figures of a run, from a Glow and its record. Each function returns a matplotlib figure."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from matplotlib.figure import Figure
from torch import Tensor
from torchvision.utils import make_grid

from glow.manipulation import interpolate, linear, spherical
from glow.model import Glow

Curve = Sequence[tuple[int, float]]  # epochs done, bits/dim
PAPER_TEMPERATURES = (0.0, 0.25, 0.6, 0.7, 0.8, 0.9, 1.0)  # those of figure 8


def sample_grid(
    model: Glow,
    n_columns: int = 10,
    n_rows: int = 6,
    temperature: float | Sequence[float] = 0.7,
    seed: int = 0,
) -> Figure:
    """Draw samples at one temperature; a model with classes shows one class per column.

    Paper figures 4 and 7.
    """
    labels = one_label_per_column(model, n_columns)
    if n_rows < 1:
        raise ValueError(f"a figure needs at least one row, got n_rows={n_rows}")
    images = model.sample(
        n_rows * n_columns,
        temperature,
        None if labels is None else labels.repeat(n_rows),
        torch.Generator().manual_seed(seed),
    )
    return image_table(
        rearrange(images, "(row column) c h w -> row column c h w", row=n_rows),
        title=f"Samples at temperature {temperature}",
        column_labels=_class_names(labels),
    )


def temperature_sweep(
    model: Glow,
    temperatures: Sequence[float] = PAPER_TEMPERATURES,
    n_columns: int = 10,
    seed: int = 0,
) -> Figure:
    """Draw the same latents at rising temperatures, one row each. Paper figure 8."""
    labels = one_label_per_column(model, n_columns)
    return image_table(
        [
            model.sample(n_columns, t, labels, torch.Generator().manual_seed(seed))
            for t in temperatures
        ],
        title="The same latents at rising temperature",
        row_labels=[f"T = {temperature:g}" for temperature in temperatures],
        column_labels=_class_names(labels),
    )


def interpolation(
    model: Glow,
    start: Tensor,
    end: Tensor,
    start_labels: Tensor | None = None,
    end_labels: Tensor | None = None,
    n_frames: int = 9,
) -> Figure:
    """Draw the ways from images ``start`` to images ``end``, uint8 (B,C,H,W), linear and spherical.

    The first and last column are decoded like the others, and are the very images. A model with
    classes decodes the first half of each way under the start's label, the rest under the end's.
    Paper figure 5.
    """
    start_latents = model.encode(start, start_labels)
    end_latents = model.encode(end, end_labels)
    rows = []
    for path in (linear, spherical):
        frames = interpolate(start_latents, end_latents, n_frames, path)
        images = [
            model.decode(latents, start_labels if 2 * i < n_frames else end_labels)
            for i, latents in enumerate(frames)
        ]
        rows.append(torch.stack(images, dim=1))
    between = [f"{i / (n_frames - 1):.3g}" for i in range(1, n_frames - 1)]
    return image_table(
        rearrange(rows, "path b frame c h w -> (b path) frame c h w"),
        title="Interpolation in latent space between real images",
        row_labels=["linear", "spherical"] * len(start),
        column_labels=["real", *between, "real"],
    )


def training_curve(metrics: str | Path) -> Figure:
    """Draw bits/dim of training and validation over steps, from the ``metrics.csv`` of a run."""
    with Path(metrics).open(newline="") as file:
        records = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, style in (("train", {"alpha": 0.5, "linewidth": 1}), ("val", {"marker": "."})):
        key = f"{name}/bits_per_dim"
        # Steps that a resumed run has taken again are drawn once.
        points = {int(r["step"]): float(r[key]) for r in records if r.get(key)}
        if points:
            axes.plot(*zip(*sorted(points.items()), strict=True), label=name, **style)
    axes.set(title="Training", xlabel="step", ylabel="bits/dim (lower is better)")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    return figure


def sweep_curves(
    curves: Mapping[str, Mapping[str, Sequence[Curve]]],
    title: str = "Validation images: mean and standard deviation over runs",
) -> Figure:
    """Draw mean and spread of curves over runs that differ in the seed: panel -> line -> curves.

    A curve is a list of (epoch, bits/dim). The spread is one standard deviation to each side; it is
    drawn as far as all runs of a line have come. Paper figure 3.
    """
    figure = Figure(figsize=(5 * len(curves), 4.2), layout="constrained")
    all_axes = figure.subplots(1, len(curves), squeeze=False, sharey=True)[0]
    names = list(dict.fromkeys(name for lines in curves.values() for name in lines))
    for axes, (panel, lines) in zip(all_axes, curves.items(), strict=True):
        for name, runs in lines.items():
            values = [np.array([value for _, value in run]) for run in runs]
            n_epochs = min(map(len, values))
            together = np.stack([v[:n_epochs] for v in values])
            mean, std = together.mean(0), together.std(0)
            epochs = [epoch for epoch, _ in runs[0][:n_epochs]]
            color = f"C{names.index(name)}"
            axes.plot(epochs, mean, marker=".", color=color, label=f"{name} ({len(runs)})")
            axes.fill_between(epochs, mean - std, mean + std, color=color, alpha=0.2, linewidth=0)
        axes.set(title=panel, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(title="(number of runs)", fontsize=8, title_fontsize=8)
    all_axes[0].set_ylabel("bits/dim (lower is better)")
    figure.suptitle(title)
    return figure


def image_table(
    rows: Tensor | Iterable[Tensor],
    title: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> Figure:
    """Lay out rows of uint8 images, each (N,C,H,W), as one table with labelled rows and columns.

    Images with neither 1 nor 3 channels are shown as the grey mean of them.
    """
    table = torch.stack(list(rows)).cpu()
    n_rows, n_columns, channels, height, width = table.shape
    if channels not in (1, 3):
        table = table.float().mean(dim=2, keepdim=True).byte()
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


def one_label_per_column(model: Glow, n_columns: int) -> Tensor | None:
    """Return labels (n_columns,) that run through the classes, or nothing without classes."""
    if n_columns < 1:
        raise ValueError(f"a figure needs at least one column, got n_columns={n_columns}")
    n_classes = model.n_classes
    return torch.arange(n_columns, device=model.device) % n_classes if n_classes else None


def _class_names(labels: Tensor | None) -> list[str]:
    return [] if labels is None else [f"class {label}" for label in labels.tolist()]
