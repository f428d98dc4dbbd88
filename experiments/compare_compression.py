"""Compare file sizes: python experiments/compare_compression.py checkpoint=runs/digits/<run>."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point, print_numbers

if TYPE_CHECKING:
    from torch import Tensor

    from glow import ImageFlow


@entry_point("compare_compression")
def main(config: DictConfig) -> None:
    """Compress test images, restore them, and store them in other formats; write a record."""
    import torch

    from glow import figures
    from glow.data import random_indices
    from glow.runs.provenance import device_name, provenance
    from glow.runs.threads import use_threads
    from glow.runs.trained_run import TrainedRun

    threads = use_threads(config.threads)
    run = TrainedRun(config.checkpoint, trusted=config.trusted, data=config.get("data"))
    images = run.opened_data().dataset(config.split).images
    images = images[random_indices(len(images), config.n_images, config.seed)]
    images = run.model.dequantizer.quantize(images)
    n_bits = run.model.dequantizer.n_bits
    record = {
        "kind": "compression",
        "title": f"{type(run.data).__name__} {'x'.join(map(str, run.model.image_shape))}, "
        f"{n_bits} bits",
        "n_images": len(images),
        **_ours(run.model, images),
        **_formats(images >> 8 - n_bits),
        "device": device_name(torch.device("cpu")),
        "threads": threads,
        **provenance(),
    }
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n")
    records = [json.loads(path.read_text()) for path in sorted(output.parent.glob("*.json"))]
    drawn = figures.compression([it for it in records if it.get("kind") == record["kind"]])
    print_numbers(record["title"], _numbers(record))
    echo(f"written: {output} and {figures.save(drawn, Path(config.figure))}")


def _ours(model: ImageFlow, images: Tensor) -> dict[str, Any]:
    """Compress and restore images; return sizes in bits/dim, and speeds."""
    import io
    import time

    import torch

    from glow.analysis import batches
    from glow.compression import decompress, write

    said = batches.bits_per_dim(model, images)
    file, start = io.BytesIO(), time.perf_counter()
    summary = write(model, [(images, None)], file)
    written = time.perf_counter()
    restored = decompress(model, file.getvalue())
    read = time.perf_counter()
    if not torch.equal(restored, images):
        raise RuntimeError("the images did not come back")
    first, n_chunks = summary.chunks[0], len(summary.chunks)
    initial = first.initial_bits / images[0].numel() - float(said[: first.n_initial].sum())
    return {
        "model": float(said.mean()),
        "file": summary.bits_per_dim,
        # What the picture of the first images takes above what the model would.
        "initial": initial * n_chunks / len(images),
        "fell_back": sum(chunk.fell_back for chunk in summary.chunks),
        "written_per_second": len(images) / (written - start),
        "read_per_second": len(images) / (read - written),
    }


def _formats(images: Tensor) -> dict[str, Any]:
    """Store images, and a mosaic of them, in picture formats; return sizes in bits/dim."""
    from glow.benchmark.picture_codecs import (
        available_formats,
        bits_per_dim_of_files,
        bits_per_dim_of_mosaic,
    )

    names = available_formats()
    if "JPEG XL" not in names:
        echo("JPEG XL is not measured: pip install -e '.[bench]'")
    return {
        "per_image": {name: bits_per_dim_of_files(images, name) for name in names},
        "mosaic": {name: bits_per_dim_of_mosaic(images, name) for name in names},
    }


def _numbers(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a record by what they are, in bits/dim if nothing else is said."""
    return {
        "images": record["n_images"],
        "model": record["model"],
        "file": record["file"],
        "initial bits, above the model": record["initial"],
        **{f"{name}, a file for each image": bits for name, bits in record["per_image"].items()},
        **{f"{name}, one mosaic": bits for name, bits in record["mosaic"].items()},
        "chunks that fell back": record["fell_back"],
        "images/s, written and checked": record["written_per_second"],
        "images/s, read": record["read_per_second"],
    }


if __name__ == "__main__":
    main()
