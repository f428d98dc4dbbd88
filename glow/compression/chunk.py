"""Chunks: some images in the bits of a model, checked, or as a picture where that fails.

A chunk begins with a few images as an ordinary picture. Its bytes are the initial bits of the
stack, without which no noise could be drawn for the first images of the model, and they come back
when the chunk is decoded. Then batches follow, as large as the bits on the stack allow, up to
``MAX_BATCH``. Images that leave the range of the grid, so unlikely are they, go to a second
picture. Without a single bit from outside, chunks are independent of each other.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from glow.compression.bit_stack import WORD, BitStack
from glow.compression.flow_codec import FlowCodec
from glow.compression.grid import UncodableError
from glow.compression.low_bits import N_VALUES, LowBits
from glow.compression.pictures import from_picture, to_picture

MAX_BATCH = 32
BATCH_NUMBERS = 2**17  # pixel values of a batch of large images
MARGIN = 1.05  # of the bits that some images need over those that the first ones do
SMALL = 64  # images in a chunk that is always tried as a picture, too
HEADER = struct.Struct("<IIIIII")  # counts, batches, outliers, bytes of both pictures, words
PICTURE, MODEL = 0, 1  # kinds of chunks


@dataclass(frozen=True)
class Chunk:
    """Encoded images.

    Args:
        kind: ``MODEL`` or ``PICTURE``.
        payload: The bytes.
        n_initial: The number of images whose picture gives the initial bits.
        n_outliers: The number of images that the model cannot code.
        initial_bits: The size of the picture of the former, in bits.
        low_bits: What the bits that the model does not see take.
        fell_back: Whether the model's code did not come back.
    """

    kind: int
    payload: bytes
    n_initial: int = 0
    n_outliers: int = 0
    initial_bits: int = 0
    low_bits: int = 0
    fell_back: bool = False


def encode_chunk(codec: FlowCodec, images: Tensor, labels: Tensor | None = None) -> Chunk:
    """Encode images, and decode them again to see that they come back.

    Args:
        codec: The model's code.
        images: uint8 (N,C,H,W), N at least 1.
        labels: Class labels (N,), if the model has classes.

    Returns:
        The chunk, which is always right.
    """
    chunk = _by_model(codec, images, labels)
    try:
        came_back = torch.equal(_from_model(codec, chunk.payload, len(images)), images)
    except ValueError:
        came_back = False
    in_doubt = len(images) <= SMALL or chunk.low_bits > 0
    if came_back and not in_doubt and len(chunk.payload) < images.numel():
        return chunk
    picture = Chunk(PICTURE, to_picture(images), fell_back=not came_back)
    if not torch.equal(from_picture(picture.payload, len(images), codec.image_shape), images):
        raise RuntimeError("Pillow does not restore the pixels of a lossless picture")
    if came_back and len(chunk.payload) <= len(picture.payload):
        return chunk
    return picture


def decode_chunk(codec: FlowCodec, kind: int, payload: bytes, n: int) -> Tensor:
    """Decode a chunk.

    Args:
        codec: The model's code.
        kind: ``MODEL`` or ``PICTURE``.
        payload: The bytes.
        n: The number of images, N.

    Returns:
        uint8 (N,C,H,W); whether these are the images, a checksum must say.

    Raises:
        ValueError: If the payload is not a chunk of so many images.
    """
    if kind == PICTURE:
        return from_picture(payload, n, codec.image_shape)
    return _from_model(codec, payload, n)


def _by_model(codec: FlowCodec, images: Tensor, labels: Tensor | None) -> Chunk:
    coding = _Coding(codec, images, labels)
    first = _initial_picture(images, coding.need)
    coding.stack = BitStack(_words(first.content), sealed=True)
    batches, outliers = [], []
    rest = torch.arange(first.n, len(images))
    while len(rest):
        batch = rest[: coding.affordable()]
        try:
            batch = coding.push(batch)
        except UncodableError as error:
            outliers += batch[error.images].tolist()
            rest = torch.cat([batch[~error.images], rest[len(batch) :]])
        else:
            batches.append(len(batch))
            rest = rest[len(batch) :]
    others = to_picture(images[outliers]) if outliers else b""
    words = coding.stack.words()
    counts = b"" if coding.low is None else coding.low.counts.astype("<u4").tobytes()
    header = HEADER.pack(
        len(counts) // WORD,
        len(batches),
        len(outliers),
        len(first.content),
        len(others),
        len(words),
    )
    parts = (
        header,
        counts,
        np.array([first.n, *batches], "<u2").tobytes(),
        np.array(outliers, "<u4").tobytes(),
        others,
        words.astype("<u4").tobytes(),
    )
    initial_bits = 8 * len(first.content)
    payload = b"".join(parts)
    return Chunk(MODEL, payload, first.n, len(outliers), initial_bits, coding.low_bits)


class _Coding:
    """Images on their way to a stack.

    Args:
        codec: The model's code.
        images: uint8 (N,C,H,W).
        labels: Class labels (N,), or None.
    """

    def __init__(self, codec: FlowCodec, images: Tensor, labels: Tensor | None) -> None:
        self.codec = codec
        self.labels = labels
        self.images = images
        self.upper = codec.quantize(images)
        seen = torch.equal(self.upper, images)
        self.low = None if seen else LowBits.of(images, codec.n_bits)
        self.low_bits = 0
        self.largest = min(MAX_BATCH, max(1, BATCH_NUMBERS // math.prod(codec.image_shape)))
        sample = torch.arange(min(4, len(images)))
        borrowed = codec.bits_to_borrow(self.upper[sample], self._labels_of(sample))
        self.need = MARGIN * borrowed  # of an image, on the stack
        self.stack = BitStack()

    def affordable(self) -> int:
        """Return the number of images for which there are enough bits on the stack."""
        return min(max(1, int(self.stack.n_bits / self.need)), self.largest)

    def push(self, batch: Tensor) -> Tensor:
        """Push images, or only the first of them if the stack runs dry otherwise.

        Args:
            batch: The numbers of the images (B,).

        Returns:
            The numbers of those that were pushed.

        Raises:
            UncodableError: If images leave the range of the grid; nothing is pushed.
        """
        labels = self._labels_of(batch)
        attempt = self.stack.copy()
        if self.low is not None:
            self.low.push(self.images[batch], attempt)
        low_bits = attempt.n_bits - self.stack.n_bits
        self.codec.encode(self.upper[batch], labels, attempt)
        if attempt.ran_dry and len(batch) > 1:
            self.need *= MARGIN
            return self.push(batch[: max(1, len(batch) * 3 // 4)])
        if labels is not None:
            attempt.push_uniform(labels, max(2, self.codec.n_classes))
        self.stack = attempt
        self.low_bits += low_bits
        return batch

    def _labels_of(self, batch: Tensor) -> Tensor | None:
        return None if self.labels is None else self.labels[batch]


def _from_model(codec: FlowCodec, payload: bytes, n: int) -> Tensor:
    reader = _Reader(payload)
    n_counts, n_batches, n_outliers, n_first, n_others, n_words = HEADER.unpack(
        reader.take(HEADER.size)
    )
    counts = np.frombuffer(reader.take(WORD * n_counts), "<u4").astype(np.uint32)
    n_initial, *batches = np.frombuffer(reader.take(2 * (1 + n_batches)), "<u2").tolist()
    outliers = np.frombuffer(reader.take(4 * n_outliers), "<u4").astype(np.int64)
    others = reader.take(n_others)
    words = np.frombuffer(reader.take(WORD * n_words), "<u4").astype(np.uint32)
    valid = n_initial + sum(batches) + n_outliers == n and not reader.rest
    valid &= len(np.unique(outliers)) == n_outliers
    valid &= bool(((outliers >= n_initial) & (outliers < n)).all())
    valid &= n_counts == 0 or (n_counts == N_VALUES and codec.n_bits < 8)
    if not valid or (batches and max(batches) > MAX_BATCH):
        raise ValueError("its numbers of images do not agree")
    stack = BitStack(words)
    parts = []
    low = LowBits(counts, codec.n_bits) if n_counts else None
    for size in reversed(batches):
        labels = None
        if codec.n_classes:
            labels = stack.pop_uniform((size,), max(2, codec.n_classes))
        images = codec.decode(size, labels, stack)
        parts.append(images if low is None else low.pop(images, stack))
    found = torch.empty(n, *codec.image_shape, dtype=torch.uint8)
    coded = np.setdiff1d(np.arange(n_initial, n), outliers)
    if parts:
        found[coded] = torch.cat(parts[::-1])
    if n_outliers:
        found[outliers] = from_picture(others, n_outliers, codec.image_shape)
    if n_initial:
        content = stack.unsealed().astype("<u4").tobytes()[:n_first]
        found[:n_initial] = from_picture(content, n_initial, codec.image_shape)
    return found


class _InitialPicture(NamedTuple):
    n: int
    content: bytes


def _initial_picture(images: Tensor, need: float) -> _InitialPicture:
    """Return a picture of the first images that has as many bits as the model borrows for one."""
    n = 1
    while True:
        content = to_picture(images[:n])
        if n >= len(images) or 8 * len(content) >= need:
            return _InitialPicture(n, content)
        n = min(len(images), max(n + 1, math.ceil(n * need / (8 * len(content)))))


def _words(content: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    padded = content + bytes(-len(content) % WORD)
    return np.frombuffer(padded, "<u4").astype(np.uint32)


class _Reader:
    """Bytes that are taken one part after the other.

    Args:
        rest: The bytes.
    """

    def __init__(self, rest: bytes) -> None:
        self.rest = rest

    def take(self, size: int) -> bytes:
        """Return the next bytes, or raise ``ValueError`` if there are fewer."""
        if size > len(self.rest):
            raise ValueError("it is shorter than it says")
        part, self.rest = self.rest[:size], self.rest[size:]
        return part
