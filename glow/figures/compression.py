"""What a model's file needs next to picture formats."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from glow.figures.text import shown_text


def compression(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the bits/dim of the same images in files of several kinds, a panel for each data set.

    Args:
        records: What ``experiments/compare_compression.py`` wrote, one for each data set.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(3.3 * len(records), 3.6), layout="constrained")
    panels = figure.subplots(1, len(records), squeeze=False)[0]
    for axes, record in zip(panels, records, strict=True):
        bars = {"model": record["model"], "this file": record["file"]}
        bars |= {f"{name}, mosaic": bits for name, bits in record["mosaic"].items()}
        bars |= record["per_image"]
        colors = ["#4c4c4c", "#d1495b", *["#8fb8de"] * len(record["mosaic"])]
        colors += ["#3d6b99"] * len(record["per_image"])
        drawn = axes.barh(list(bars), list(bars.values()), color=colors)
        axes.bar_label(drawn, fmt="%.2f", fontsize=8, padding=2)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.18 * max(bars.values()))
        axes.set_xlabel("bits/dim")
        axes.set_title(shown_text(record["title"]), fontsize=9, parse_math=False)
    return figure
