"""Measure how fast batches come from a warm cache: python experiments/bench_data.py."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.table import Table

from glow.runs.program import echo, entry_point

if TYPE_CHECKING:
    from glow.data import ImageDataModule


@entry_point("bench_data")
def main(config: DictConfig) -> None:
    """Read all training images repeatedly, as training does, and print images per second."""
    import torch

    from glow.benchmark import megabytes_held
    from glow.runs.building import build
    from glow.runs.provenance import provenance

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = build(config.data) if config.get("data") else _random_images(Path(folder), config)
        data.prepare_data()
        held_before = megabytes_held("cpu", mapped=False)
        data.setup()
        speeds = _measure(data, config.n_rounds)
        held = megabytes_held("cpu", mapped=False) - held_before
    size = data.dataset("train").images.numel() / 1e6
    table = Table(title=f"{type(data).__name__}, batches of {data.batch_size}, one thread")
    table.add_column("images")
    table.add_column("images/s, median (least, most)", justify="right")
    for name, rates in speeds.items():
        table.add_row(
            name, f"{statistics.median(rates):,.0f} ({min(rates):,.0f}, {max(rates):,.0f})"
        )
    echo(table)
    echo(f"{size:.0f} MB of training images; the process holds {held:.0f} MB more")
    result = {
        "source": type(data).__name__,
        "image_shape": list(data.image_shape),
        "batch_size": data.batch_size,
        "images_per_second": speeds,
        "megabytes_of_images": size,
        "megabytes_held": held,
        **provenance(),
    }
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=2) + "\n")
    echo(f"written: {output}")


def _random_images(folder: Path, config: DictConfig) -> ImageDataModule:
    """Return a source of random images, with a file and a cache in a folder."""
    import numpy as np

    from glow.data import NPZ

    random = np.random.default_rng(config.seed)
    shape = (config.n_images, *config.image_shape)
    np.savez(folder / "train.npz", images=random.integers(0, 256, shape, dtype=np.uint8))
    return NPZ(
        root=str(folder),
        cache_dir=str(folder / "cache"),
        image_shape=tuple(config.image_shape),
        batch_size=config.batch_size,
        seed=config.seed,
    )


def _measure(data: ImageDataModule, n_rounds: int) -> dict[str, list[float]]:
    """Return images per second of each augmentation, turn by turn, after one discarded round."""
    from glow.data import Augmentation

    augmentations = {
        "unchanged": Augmentation(),
        "shifted": Augmentation(max_shift=0.1),
        "shifted and mirrored": Augmentation(max_shift=0.1, flip=True),
    }
    speeds: dict[str, list[float]] = {name: [] for name in augmentations}
    for turn in range(n_rounds + 1):
        for name, augmentation in augmentations.items():
            data.augmentation = augmentation
            start = time.perf_counter()
            n_images = sum(len(images) for images, _ in data.train_dataloader())
            if turn:
                speeds[name].append(n_images / (time.perf_counter() - start))
    return speeds


if __name__ == "__main__":
    main()
