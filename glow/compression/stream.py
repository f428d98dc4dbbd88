"""Images to a file and back, a chunk at a time."""

from __future__ import annotations

import io
import math
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from glow.analysis import batches
from glow.checkpoint import fingerprint
from glow.compression.chunk import decode_chunk, encode_chunk
from glow.compression.file_format import (
    END,
    DamagedFileError,
    Lost,
    Record,
    digest,
    read_header,
    read_records,
    write_header,
    write_record,
)
from glow.compression.flow_codec import FlowCodec
from glow.compression.summary import Summary
from glow.models import ImageFlow

CHUNK_SIZE = 1000  # images
CHUNK_NUMBERS = 2**25  # pixel values of a chunk of large images
PACKAGES = ("torch", "constriction", "numpy")
MOST_THREADS = 1024

Batch = tuple[Tensor, Tensor | None]  # uint8 images (B,C,H,W), class labels (B,)


class Restored(NamedTuple):
    """Images of a file.

    Args:
        first: The number of the first.
        images: uint8 (n,C,H,W).
    """

    first: int
    images: Tensor


def compress(model: ImageFlow, images: Tensor, labels: Tensor | None = None) -> bytes:
    """Store images without loss, in about as many bits as the model says.

    Args:
        model: The model.
        images: uint8 (N,C,H,W), N at least 0.
        labels: Class labels (N,); a model with classes takes the most likely ones by default.

    Returns:
        The content of a file; see ``file_format.py``.

    Raises:
        ValueError: If the images or labels do not fit, or the model has a part without a code.
    """
    file = io.BytesIO()
    write(model, [(images, labels)], file)
    return file.getvalue()


def decompress(model: ImageFlow, data: bytes) -> Tensor:
    """Restore the images that ``compress`` stored.

    Args:
        model: The same model.
        data: What ``compress`` returned.

    Returns:
        uint8 images (N,C,H,W), equal to those that were given.

    Raises:
        DamagedFileError: If not all images come back. ``read`` returns those that do.
        ValueError: If the file was written with another model.
    """
    found = list(read(model, io.BytesIO(data)))
    lost = [it for it in found if isinstance(it, Lost)]
    if lost:
        raise DamagedFileError("; ".join(map(str, lost)))
    parts = [it.images for it in found if isinstance(it, Restored)]
    nothing = torch.empty(0, *model.image_shape, dtype=torch.uint8)
    return torch.cat(parts) if parts else nothing


def write(
    model: ImageFlow,
    images: Iterable[Batch],
    file: BinaryIO,
    *,
    checkpoint: str = "",
    chunk_size: int = CHUNK_SIZE,
) -> Summary:
    """Compress a stream of images to a file.

    Args:
        model: The model.
        images: Batches of uint8 images (B,C,H,W) and class labels (B,) or None, of any sizes.
        file: The file, opened for writing.
        checkpoint: The name under which ``experiments/decompress.py`` looks for the model.
        chunk_size: The number of images in a chunk. A chunk can be read without the others, but
            its first images cost more.

    Returns:
        What was written.

    Raises:
        ValueError: If the images or labels do not fit, or the model has a part without a code.
    """
    if not isinstance(chunk_size, int) or not 1 <= chunk_size < 2**16:
        raise ValueError(f"chunk_size must be from 1 to {2**16 - 1}, got {chunk_size}")
    codec = FlowCodec(model)
    chunk_size = min(chunk_size, max(1, CHUNK_NUMBERS // math.prod(model.image_shape)))
    write_header({**_identity(model), "checkpoint": checkpoint, **_machine()}, file)
    summary = Summary(model.image_shape)
    for part, labels in _chunks(model, images, chunk_size):
        chunk = encode_chunk(codec, part, labels)
        first = summary.n_images
        write_record(Record(chunk.kind, first, len(part), chunk.payload, digest(part)), file)
        summary.n_images += len(part)
        summary.chunks.append(replace(chunk, payload=b""))
    write_record(Record(END, summary.n_images, 0, b"", bytes(16)), file)
    summary.n_bytes = file.tell()
    return summary


def read(model: ImageFlow, file: BinaryIO) -> Iterator[Restored | Lost]:
    """Restore the images of a file, a chunk at a time, and say which ones do not come back.

    Only images whose checksum is right are returned. A chunk needs no other, so a damaged one loses
    only its own images.

    Args:
        model: The model that the file was written with.
        file: The file, opened for reading.

    Raises:
        DamagedFileError: If the file is no such file, or its header is damaged.
        ValueError: If the file was written with another model.
    """
    header = read_header(file)
    identity = _identity(model)
    if {key: header.get(key) for key in identity} != identity:
        raise ValueError(
            f"the file was written with the model {header.get('model')} for images of the shape "
            f"{header.get('image_shape')}, and this is the model {identity['model']} for "
            f"{identity['image_shape']}"
        )
    codec = FlowCodec(model)
    with _threads(header.get("threads")):
        for record in read_records(file):
            yield record if isinstance(record, Lost) else _restored(codec, record, header)


def _restored(codec: FlowCodec, record: Record, header: dict[str, Any]) -> Restored | Lost:
    end = record.first + record.n
    if not 1 <= record.n <= max(1, CHUNK_NUMBERS // math.prod(codec.image_shape)):
        return Lost(record.first, end, f"a chunk cannot hold {record.n} images")
    try:
        images = decode_chunk(codec, record.kind, record.payload, record.n)
        if digest(images) == record.digest:
            return Restored(record.first, images)
    except ValueError:
        pass
    machine = {key: header.get(key) for key in _machine()}
    reason = "they do not come back"
    if machine != _machine():
        reason += f", because the file was written with {machine}, and this is {_machine()}"
    return Lost(record.first, end, reason)


def _chunks(
    model: ImageFlow, images: Iterable[Batch], size: int
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Check images and labels, and yield so many at a time."""
    parts: list[Tensor] = []
    label_parts: list[Tensor] = []
    for part, labels in images:
        _check(model, part, labels)
        if labels is None:
            labels = torch.full((len(part),), -1)
        while len(part):
            room = size - sum(map(len, parts))
            parts.append(part[:room])
            label_parts.append(labels[:room])
            part, labels = part[room:], labels[room:]
            if sum(map(len, parts)) == size:
                yield _joined(model, parts, label_parts)
                parts, label_parts = [], []
    if parts:
        yield _joined(model, parts, label_parts)


def _joined(
    model: ImageFlow, parts: list[Tensor], labels: list[Tensor]
) -> tuple[Tensor, Tensor | None]:
    images = torch.cat(parts).cpu().contiguous()
    return images, batches.fill_in_classes(model, images, torch.cat(labels).long())


def _check(model: ImageFlow, images: Tensor, labels: Tensor | None) -> None:
    if images.dtype != torch.uint8 or tuple(images.shape[1:]) != model.image_shape:
        raise ValueError(
            f"images must be uint8 of the shape (N, {', '.join(map(str, model.image_shape))}), "
            f"got {images.dtype} of the shape {tuple(images.shape)}"
        )
    if labels is None or not model.n_classes:
        return
    if labels.shape != (len(images),) or labels.is_floating_point():
        raise ValueError(
            f"labels must be {len(images)} integers, one for each image, got {labels.dtype} of "
            f"the shape {tuple(labels.shape)}"
        )
    if len(labels) and not -1 <= labels.min() <= labels.max() < model.n_classes:
        raise ValueError(
            f"labels must be from 0 to {model.n_classes - 1}, or -1 where the class is not known, "
            f"got {labels.min()} to {labels.max()}"
        )


def _identity(model: ImageFlow) -> dict[str, Any]:
    return {"model": fingerprint(model), "image_shape": list(model.image_shape)}


def _machine() -> dict[str, Any]:
    """Return what the networks' last bits can depend on."""
    return {
        "versions": {package: version(package) for package in PACKAGES},
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
    }


@contextmanager
def _threads(threads: Any) -> Iterator[None]:
    """Compute in as many threads as the writer of a file did."""
    before = torch.get_num_threads()
    if isinstance(threads, int) and 1 <= threads <= MOST_THREADS:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
