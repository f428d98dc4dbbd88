"""Bits/dim in the course of training."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from glow.figures.text import legend, shown_text

Curve = Sequence[tuple[float, float]]  # epochs done or seconds, bits/dim


def training_curve(metrics: str | Path) -> Figure:
    """Draw bits/dim of training and validation over steps, from the ``metrics.csv`` of a run."""
    with Path(metrics).open(newline="") as file:
        records = list(csv.DictReader(file))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, style in (("train", {"alpha": 0.5, "linewidth": 1}), ("val", {"marker": "."})):
        key = f"{name}/bits_per_dim"
        # Steps that a resumed run repeated are drawn once.
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
    axis: str = "epoch",
) -> Figure:
    """Draw mean and spread of curves over runs that differ in the seed. Paper figure 3.

    The spread is one standard deviation to each side. A line is as long as its shortest run. The
    n-th points of runs at slightly different seconds are drawn at the mean of the seconds.

    Args:
        curves: From a panel to a line to the curves of its runs, each a list of points.
        title: The title of the figure.
        axis: What the first number of a point is: ``epoch`` or ``seconds``.

    Returns:
        The figure.
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
            places = np.mean([[place for place, _ in run[:n_epochs]] for run in runs], axis=0)
            color = f"C{names.index(name)}"
            axes.plot(places, mean, marker=".", color=color)
            axes.fill_between(places, mean - std, mean + std, color=color, alpha=0.2, linewidth=0)
        axes.set_title(shown_text(panel), parse_math=False)
        axes.set_xlabel(axis)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        numbered = [f"{name} ({len(runs)})" for name, runs in lines.items()]
        legend(axes, axes.lines, numbered, title="(number of runs)", fontsize=8, title_fontsize=8)
    all_axes[0].set_ylabel("bits/dim (lower is better)")
    figure.suptitle(title)
    return figure
