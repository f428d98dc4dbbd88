"""Histograms of likelihoods of images from several data sets."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from glow.analysis.out_of_distribution import Scores
from glow.figures.text import legend, shown_text

N_BINS = 60


def likelihoods(scores: Mapping[str, Scores], title: str) -> Figure:
    """Draw histograms of scores: bits/dim, which mislead, and bits/dim minus those of a PNG file.

    Args:
        scores: Scores by the name of a data set; the first is that of the model.
        title: The title of the figure.

    Returns:
        The figure.

    Raises:
        ValueError: If no image of the first data set has a finite likelihood.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = {
        "bits/dim, which misleads": [s.raw() for s in scores.values()],
        "bits/dim less those of a PNG file": [s.less_png() for s in scores.values()],
    }
    for axes, (name, columns) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        low, high = _shown_range(columns)
        bins = np.linspace(low, high, N_BINS + 1)
        for column in columns:
            weights = np.full(len(column), 1 / len(column))
            values = column.clamp(low, high).numpy()
            axes.hist(values, bins=bins, weights=weights, alpha=0.55)
        axes.set(title=name, ylabel="share of the images")
        axes.set_xlabel("bits/dim (the outermost bars include everything beyond)")
        axes.grid(alpha=0.3)
    legend(figure.axes[0], figure.axes[0].containers, scores, title="images of")
    figure.suptitle(shown_text(title), parse_math=False)
    return figure


def _shown_range(columns: Sequence[Tensor]) -> tuple[float, float]:
    """Return the range to show: all values, but no further from the first column than it is wide.

    Noise can cost thousands of bits, and nothing else would be visible next to it.
    """
    own, everything = columns[0][columns[0].isfinite()], torch.cat(list(columns))
    if not len(own):
        raise ValueError("no image of the model's own data set has a finite likelihood")
    reach = own.max() - own.min()
    low = torch.maximum(everything.min(), own.min() - reach)
    high = torch.minimum(everything.max(), own.max() + reach)
    return float(low), float(high) + 1e-6
