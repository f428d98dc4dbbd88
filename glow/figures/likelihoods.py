"""Histograms of what a model says of images from several places."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

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
        low = min(float(column.min()) for column in columns)
        high = max(float(column.max()) for column in columns)
        bins = np.linspace(low, high + 1e-9, N_BINS + 1)
        for data, column in zip(scores, columns, strict=True):
            weights = np.full(len(column), 1 / len(column))
            axes.hist(column.numpy(), bins=bins, weights=weights, alpha=0.55, label=data)
        axes.set(title=name, xlabel="bits/dim", ylabel="share of the images")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(title="images of")
    figure.suptitle(title)
    return figure
