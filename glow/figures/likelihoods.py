"""Histograms of what a model says of images from several places."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from glow.out_of_distribution import Scores

N_BINS = 60


def likelihoods(scores: Mapping[str, Scores], title: str) -> Figure:
    """Draw the scores of data sets, by name, the first of which is that of the model.

    One panel shows bits/dim, which misleads, the other bits/dim less those of a PNG file.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = {
        "bits/dim, which misleads": [s.raw() for s in scores.values()],
        "bits/dim less those of a PNG file": [s.less_png() for s in scores.values()],
    }
    for axes, (name, columns) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        low, high = _shown_range(columns)
        bins = np.linspace(low, high, N_BINS + 1)
        for data, column in zip(scores, columns, strict=True):
            weights = np.full(len(column), 1 / len(column))
            values = column.clamp(low, high).numpy()
            axes.hist(values, bins=bins, weights=weights, alpha=0.55, label=data)
        axes.set(title=name, ylabel="share of the images")
        axes.set_xlabel("bits/dim (the outermost bars hold all beyond)")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(title="images of")
    figure.suptitle(title)
    return figure


def _shown_range(columns: Sequence[Tensor]) -> tuple[float, float]:
    """Return what is shown: everything, but no further from the first column than it is wide.

    Noise may cost thousands of bits, beside which nothing else could be seen.
    """
    own, everything = columns[0][columns[0].isfinite()], torch.cat(list(columns))
    if not len(own):
        raise ValueError("none of the model's own images has a finite likelihood to be drawn")
    reach = own.max() - own.min()
    low = torch.maximum(everything.min(), own.min() - reach)
    high = torch.minimum(everything.max(), own.max() + reach)
    return float(low), float(high) + 1e-6
