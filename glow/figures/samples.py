"""Samples: at one temperature, at several, of several models, and beside what was learnt from."""

from collections.abc import Iterable, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from glow import in_batches
from glow.figures.image_table import image_table
from glow.in_batches import BATCH_SIZE
from glow.model import Glow
from glow.neighbours import nearest

PAPER_TEMPERATURES = (0.0, 0.25, 0.6, 0.7, 0.8, 0.9, 1.0)  # those of figure 8


def sample_grid(
    model: Glow,
    n_columns: int = 10,
    n_rows: int = 6,
    temperature: float | Sequence[float] = 0.7,
    seed: int = 0,
    class_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw samples at one temperature; a model with classes shows one class per column.

    Paper figures 4 and 7, and those of appendix D.
    """
    images = in_batches.sample_table(model, n_columns, n_rows, temperature, seed, batch_size)
    return image_table(
        images,
        title=f"Samples at temperature {told(temperature)}",
        column_labels=_names(in_batches.classes_in_turn(model, n_columns), class_names),
    )


def temperature_sweep(
    model: Glow,
    temperatures: Sequence[float] = PAPER_TEMPERATURES,
    n_columns: int = 10,
    seed: int = 0,
    class_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw the same latents at rising temperatures, one row each. Paper figure 8."""
    labels = in_batches.classes_in_turn(model, n_columns)
    return image_table(
        [in_batches.sample(model, n_columns, t, labels, seed, batch_size) for t in temperatures],
        title="The same latents at rising temperature",
        row_labels=[f"T = {temperature:g}" for temperature in temperatures],
        column_labels=_names(labels, class_names),
    )


def samples_of_models(
    models: Iterable[tuple[str, Glow]],
    n_columns: int = 10,
    temperature: float = 0.7,
    seed: int = 0,
) -> Figure:
    """Draw samples of models, met one after the other with their names, one row each.

    Paper figure 9, where they differ in L.
    """
    rows = {
        name: in_batches.sample_table(model, n_columns, 1, temperature, seed)[0]
        for name, model in models
    }
    return image_table(
        rows.values(),
        title=f"Samples of each model at temperature {told(temperature)}",
        row_labels=list(rows),
    )


def neighbours(
    samples: Tensor, training_images: Tensor, n_neighbours: int = 6, n_bits: int = 8
) -> Figure:
    """Draw samples, uint8 (N,C,H,W), each beside the training images that are nearest to it.

    A model that has learnt images by heart shows them here. The distance is that of
    ``glow.neighbours.nearest``.
    """
    distances, indices = nearest(samples, training_images, n_neighbours, n_bits)
    found = training_images.cpu()[indices.flatten()].unflatten(0, indices.shape)
    return image_table(
        torch.cat([samples.cpu()[:, None], found], dim=1),
        title="Samples and the training images nearest to them",
        row_labels=[f"{first:.0f} to {last:.0f} away" for first, last in distances[:, [0, -1]]],
        column_labels=["sample", "nearest", *map(str, range(2, n_neighbours + 1))],
    )


def _names(labels: Tensor | None, class_names: Sequence[str]) -> list[str]:
    if labels is None:
        return []
    return [class_names[i] if class_names else f"class {i}" for i in labels.tolist()]


def told(temperature: float | Sequence[float]) -> str:
    """Return how a temperature, of all levels or of each, is told."""
    if isinstance(temperature, int | float):
        return f"{temperature:g}"
    return ", ".join(f"{t:g} (level {level})" for level, t in enumerate(temperature, start=1))
