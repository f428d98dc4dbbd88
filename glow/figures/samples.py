"""Samples: at one temperature, at several, of several models, and next to training images."""

from collections.abc import Iterable, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from glow.analysis import batches
from glow.analysis.batches import BATCH_SIZE
from glow.analysis.neighbors import nearest
from glow.figures.image_table import image_table
from glow.models import ImageFlow

PAPER_TEMPERATURES = (0.0, 0.25, 0.6, 0.7, 0.8, 0.9, 1.0)  # those of figure 8


def sample_grid(
    model: ImageFlow,
    n_columns: int = 10,
    n_rows: int = 6,
    temperature: float | Sequence[float] = 0.7,
    seed: int = 0,
    class_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw samples at one temperature; a model with classes gets one class per column.

    Paper figures 4 and 7, and those of appendix D.

    Args:
        model: The model.
        n_columns: The number of columns.
        n_rows: The number of rows.
        temperature: One number for all levels, or one per level, finest first.
        seed: The seed of the noise.
        class_names: The names of the classes.
        batch_size: The number of images at a time.

    Returns:
        The figure.
    """
    images = batches.sample_table(model, n_columns, n_rows, temperature, seed, batch_size)
    return image_table(
        images,
        title=f"Samples at temperature {format_temperature(temperature)}",
        column_labels=_names(batches.classes_in_turn(model, n_columns), class_names),
    )


def temperature_sweep(
    model: ImageFlow,
    temperatures: Sequence[float] = PAPER_TEMPERATURES,
    n_columns: int = 10,
    seed: int = 0,
    class_names: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
) -> Figure:
    """Draw the same latents at several temperatures, one row each. Paper figure 8.

    Args:
        model: The model.
        temperatures: The temperatures of the rows.
        n_columns: The number of columns.
        seed: The seed of the noise.
        class_names: The names of the classes.
        batch_size: The number of images at a time.

    Returns:
        The figure.
    """
    labels = batches.classes_in_turn(model, n_columns)
    return image_table(
        [batches.sample(model, n_columns, t, labels, seed, batch_size) for t in temperatures],
        title="The same latents at rising temperature",
        row_labels=[f"T = {temperature:g}" for temperature in temperatures],
        column_labels=_names(labels, class_names),
    )


def samples_of_models(
    models: Iterable[tuple[str, ImageFlow]],
    n_columns: int = 10,
    temperature: float = 0.7,
    seed: int = 0,
) -> Figure:
    """Draw samples of several models, one row each. Paper figure 9, where they differ in L.

    Args:
        models: Names and models, of which only one at a time is needed.
        n_columns: The number of columns.
        temperature: The temperature of all levels.
        seed: The seed of the noise.

    Returns:
        The figure.
    """
    rows = {
        name: batches.sample_table(model, n_columns, 1, temperature, seed)[0]
        for name, model in models
    }
    return image_table(
        rows.values(),
        title=f"Samples of each model at temperature {format_temperature(temperature)}",
        row_labels=list(rows),
    )


def neighbors(
    samples: Tensor, training_images: Tensor, n_neighbors: int = 6, n_bits: int = 8
) -> Figure:
    """Draw samples next to the nearest training images, which shows whether a model memorizes.

    The distance is that of ``glow.analysis.neighbors.nearest``.

    Args:
        samples: uint8 (N,C,H,W).
        training_images: uint8 (M,C,H,W).
        n_neighbors: The number of training images per sample.
        n_bits: The number of bits to compare.

    Returns:
        The figure.
    """
    distances, indices = nearest(samples, training_images, n_neighbors, n_bits)
    found = training_images.cpu()[indices.flatten()].unflatten(0, indices.shape)
    return image_table(
        torch.cat([samples.cpu()[:, None], found], dim=1),
        title="Samples and the training images nearest to them",
        row_labels=[f"{first:.0f} to {last:.0f} away" for first, last in distances[:, [0, -1]]],
        column_labels=["sample", "nearest", *map(str, range(2, n_neighbors + 1))],
    )


def _names(labels: Tensor | None, class_names: Sequence[str]) -> list[str]:
    if labels is None:
        return []
    return [class_names[i] if class_names else f"class {i}" for i in labels.tolist()]


def format_temperature(temperature: float | Sequence[float]) -> str:
    """Return the text for a temperature, of all levels or of each.

    >>> format_temperature(0.7)
    '0.7'
    >>> format_temperature([0.5, 1.0])
    '0.5 (level 1), 1 (level 2)'
    """
    if isinstance(temperature, int | float):
        return f"{temperature:g}"
    return ", ".join(f"{t:g} (level {level})" for level, t in enumerate(temperature, start=1))
