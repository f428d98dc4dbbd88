"""Measure how fast batches come from a warm cache: python experiments/bench_data.py."""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.table import Table

from glow.runs.program import echo, entry_point

if TYPE_CHECKING:
    pass


@entry_point("bench_data")
def main(config: DictConfig) -> None:
    """Read all training images repeatedly, as training does, and print images per second."""
    import torch

    from glow.benchmark import loading_speeds, megabytes_held, random_images
    from glow.runs.building import build
    from glow.runs.provenance import provenance

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if config.get("data"):
            data = build(config.data, "data")
        else:
            sizes = config.n_images, tuple(config.image_shape), config.batch_size, config.seed
            data = random_images(Path(folder), *sizes)
        data.prepare_data()
        held_before = megabytes_held("cpu", mapped=False)
        data.setup()
        speeds = loading_speeds(data, config.n_rounds)
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


if __name__ == "__main__":
    main()
