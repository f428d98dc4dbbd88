"""Decode a data source and summarize it: python experiments/prepare_data.py data=cifar10."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.table import Table

from glow.runs.program import echo, entry_point

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from glow.data import ImageDataModule


@entry_point("prepare_data")
def main(config: DictConfig) -> None:
    """Decode and read all of a data set, print its statistics, and draw a contact sheet."""
    from glow import figures
    from glow.data import CachedDataModule
    from glow.data.names import printable
    from glow.runs.building import build

    data: ImageDataModule = build(config.data, "data")
    data.prepare_data()
    data.setup()
    echo(data.summary_line())
    _print_pixels(data)
    if data.label_names:
        _print_labels(data)
    if isinstance(data, CachedDataModule):
        echo(f"decoded images in {printable(str(Path(data.cache_dir).resolve()))}")
    height, width = data.image_shape[1:]
    name = f"{type(data).__name__.lower()}_{height}x{width}.png"
    figure = _contact_sheet(data, config.n_rows, config.n_columns)
    echo(f"written: {figures.save(figure, Path(config.folder) / name)}")


def _print_pixels(data: ImageDataModule) -> None:
    """Print the number of images, and mean and standard deviation of their pixels."""
    from glow.data import SPLITS, mean_and_std, pixel_counts

    table = Table(title=f"{type(data).__name__}, {data.image_shape}, pixels from 0 to 1")
    for heading in ("split", "images", "mean", "std"):
        table.add_column(heading, justify="left" if heading == "split" else "right")
    train, val, test = (pixel_counts(data.dataset(split).images) for split in SPLITS)
    pixels = data.image_shape[1] * data.image_shape[2]
    rows = {"train": train, "val": val, "train + val": train + val, "test": test}
    for name, counts in rows.items():
        mean, std = mean_and_std(counts)
        n_images = int(counts[0].sum()) // pixels
        table.add_row(name, f"{n_images:,}", _numbers(mean), _numbers(std))
    echo(table)


def _print_labels(data: ImageDataModule) -> None:
    """Print how many images of each split have each label."""
    from glow.data.names import printable

    table = Table(title="images per label", title_justify="left")
    table.add_column("label")
    columns = []
    for split, dataset in data.datasets.items():
        table.add_column(split, justify="right")
        labels = dataset.labels
        per_label = labels.sum(0) if labels.ndim > 1 else labels.bincount(minlength=data.n_classes)
        columns.append(per_label.tolist())
    for name, *counts in zip(data.label_names, *columns, strict=True):
        table.add_row(printable(name), *(f"{count:,}" for count in counts))
    echo(table)


def _contact_sheet(data: ImageDataModule, n_rows: int, n_columns: int) -> Figure:
    """Draw images of each split, and those for training also as training sees them."""
    import numpy as np
    import torch

    from glow import figures
    from glow.data import SPLITS

    sets: dict[str, Tensor] = {}
    for split in SPLITS:
        dataset = data.dataset(split)
        sets[split], _ = dataset.__getitems__(dataset.indices_across_classes(n_rows * n_columns))
    if data.max_shift or data.flip:
        sets["augmented"] = data.augmentation(sets["train"], np.random.default_rng(data.seed))
    rows: list[Tensor] = []
    for images in sets.values():
        table = torch.full((n_rows * n_columns, *data.image_shape), 255, dtype=torch.uint8)
        table[: len(images)] = images
        rows += table.split(n_columns)
    names = [name for name in sets for _ in range(n_rows)]
    return figures.image_table(rows, title=type(data).__name__, row_labels=names)


def _numbers(values: Tensor) -> str:
    return "  ".join(f"{value:.4f}" for value in values.tolist())


if __name__ == "__main__":
    main()
