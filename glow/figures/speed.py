"""How the cost of a training step grows with the size of a model."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure


def speed(rows: Sequence[Mapping[str, Any]], swept: Mapping[str, str]) -> Figure:
    """Draw seconds and memory of a training step over each size that was varied.

    Args:
        rows: What ``glow.benchmark.compare_subjects`` returned, the base size first.
        swept: The names of the sizes, and their labels.

    Returns:
        The figure.
    """
    base = {name: rows[0][name] for name in (*swept, "image_shape", "n_levels")}
    varied = [name for name in swept if len({row[name] for row in rows}) > 1] or list(swept)[:1]
    figure = Figure(figsize=(4.2 * len(varied), 7), layout="constrained")
    axes = figure.subplots(2, len(varied), squeeze=False, sharex="col", sharey="row")
    for column, name in enumerate(varied):
        on_axis = [row for row in rows if all(row[n] == base[n] for n in base if n != name)]
        for subject in dict.fromkeys(row["subject"] for row in on_axis):
            own = [row for row in on_axis if row["subject"] == subject]
            own.sort(key=lambda row: row[name])
            x = [row[name] for row in own]
            times = [row["median_seconds"]["train"] for row in own]
            axes[0, column].plot(x, times, marker="o", label=subject)
            axes[1, column].plot(x, [row["activation_megabytes"] for row in own], marker="o")
        fixed = ", ".join(f"{swept[n]} {base[n]}" for n in swept if n != name)
        axes[0, column].set_title(fixed, fontsize=9)
        axes[1, column].set_xlabel(swept[name])
    axes[0, 0].set(ylabel="seconds per training step", ylim=(0, None))
    axes[1, 0].set(ylabel="MB for activations", ylim=(0, None))
    axes[0, 0].legend(fontsize=8)
    for one in axes.flat:
        one.grid(alpha=0.3)
    return figure
