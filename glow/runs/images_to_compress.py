"""Images of a data set, of a folder, or of files, byte for byte, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from glow.compression import Batch
from glow.data import SPLITS
from glow.data.exact_picture import read_exactly
from glow.data.image_file import is_picture
from glow.data.names import printable, user_path
from glow.runs.trained_run import TrainedRun

BATCH_SIZE = 256


def image_batches(
    run: TrainedRun, images: Sequence[str], n_images: int | None, *, quantized: bool
) -> Iterator[Batch]:
    """Yield images with the classes that are known.

    Args:
        run: The trained model and its data.
        images: The name of a split; or files, and folders whose pictures are taken in the order of
            their names.
        n_images: How many to take, the first ones; None for all.
        quantized: Whether to drop the bits that the model does not see.

    Raises:
        ValueError: If there are no images, or a picture would have to be converted.
    """
    if n_images is not None and n_images < 0:
        raise ValueError(f"n_images must be at least 0, got {n_images}")
    if not images:
        raise ValueError(
            f"images must be {', '.join(SPLITS)}, a folder, or names of files, got nothing"
        )
    whole = list(images) in [[split] for split in SPLITS]
    source = _of_split(run, images[0]) if whole else _of_files(run, images)
    left = n_images
    for part, labels in source:
        if left is not None:
            part, labels = part[:left], None if labels is None else labels[:left]
            left -= len(part)
        yield (run.model.dequantizer.quantize(part) if quantized else part), labels
        if left == 0:
            return


def _of_split(run: TrainedRun, split: str) -> Iterator[Batch]:
    dataset = run.opened_data().dataset(split)
    for start in range(0, len(dataset), BATCH_SIZE):
        images, labels = dataset[start : start + BATCH_SIZE]
        known = run.model.n_classes > 0 and run.data_is_own and labels.ndim == 1
        yield images, labels.long() if known else None


def _of_files(run: TrainedRun, names: Sequence[str]) -> Iterator[Batch]:
    shape = run.model.image_shape
    if shape[0] not in (1, 3):
        raise ValueError(f"picture files have 1 or 3 channels, and the model's images {shape[0]}")
    paths = [path for name in names for path in _files(user_path(name))]
    for start in range(0, len(paths), BATCH_SIZE):
        part = [read_exactly(path, shape) for path in paths[start : start + BATCH_SIZE]]
        yield torch.stack(part), None


def _files(path: Path) -> list[Path]:
    """Return a file, or the pictures of a folder at any depth."""
    if not path.exists():
        raise FileNotFoundError(
            f"there is no {printable(str(path))}: images must be {', '.join(SPLITS)}, a folder of "
            "pictures, or picture files"
        )
    if not path.is_dir():
        return [path]
    found = sorted(it for it in path.rglob("*") if it.is_file() and is_picture(it))
    if not found:
        raise ValueError(f"there are no pictures in {printable(str(path))}")
    return found
