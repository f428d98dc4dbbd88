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
from glow.compression.pictures import from_picture, to_picture

MAX_BATCH = 32
BATCH_NUMBERS = 2**17  # pixel values of a batch of large images
SMALL = 64  # images in a chunk that is also tried as a picture
HEADER = struct.Struct("<BIIIII")  # low bits?, batches, outliers, bytes of both pictures, words
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
        low_bits: The number of bits that the model does not see, and that are stored as they are.
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
    if came_back and len(images) > SMALL and len(chunk.payload) < images.numel():
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
    upper = codec.quantize(images)
    low_size = 2 ** (8 - codec.n_bits)
    has_low = not torch.equal(upper, images)
    need = codec.bits_to_borrow(upper[:4], None if labels is None else labels[:4])
    if has_low:
        need = max(1.0, need - images[0].numel() * (8 - codec.n_bits))  # they come first
    first = _initial_picture(images, need)
    stack = BitStack(_words(first.content), sealed=True)
    batches, outliers, start = [], [], first.n
    largest = min(MAX_BATCH, max(1, BATCH_NUMBERS // math.prod(codec.image_shape)))
    while start < len(images):
        size = min(max(1, int(stack.n_bits / need)), largest)
        batch = torch.arange(start, min(start + size, len(images)))
        start += len(batch)
        while len(batch):
            attempt = stack.copy()
            if has_low:
                attempt.push_uniform((images - upper)[batch].long(), low_size)
            batch_labels = None if labels is None else labels[batch]
            try:
                codec.encode(upper[batch], batch_labels, attempt)
            except UncodableError as error:
                outliers += batch[error.images].tolist()
                batch = batch[~error.images]
                continue
            if batch_labels is not None:
                attempt.push_uniform(batch_labels, max(2, codec.n_classes))
            stack = attempt
            batches.append(len(batch))
            break
    others = to_picture(images[outliers]) if outliers else b""
    words = stack.words()
    header = HEADER.pack(
        has_low, len(batches), len(outliers), len(first.content), len(others), len(words)
    )
    parts = (
        header,
        np.array([first.n, *batches], "<u2").tobytes(),
        np.array(outliers, "<u4").tobytes(),
        others,
        words.astype("<u4").tobytes(),
    )
    n_coded = len(images) - first.n - len(outliers)
    return Chunk(
        MODEL,
        b"".join(parts),
        first.n,
        len(outliers),
        8 * len(first.content),
        (8 - codec.n_bits) * n_coded * math.prod(codec.image_shape) if has_low else 0,
    )


def _from_model(codec: FlowCodec, payload: bytes, n: int) -> Tensor:
    reader = _Reader(payload)
    has_low, n_batches, n_outliers, n_first, n_others, n_words = HEADER.unpack(
        reader.take(HEADER.size)
    )
    n_initial, *batches = np.frombuffer(reader.take(2 * (1 + n_batches)), "<u2").tolist()
    outliers = np.frombuffer(reader.take(4 * n_outliers), "<u4").astype(np.int64)
    others = reader.take(n_others)
    words = np.frombuffer(reader.take(WORD * n_words), "<u4").astype(np.uint32)
    valid = n_initial + sum(batches) + n_outliers == n and not reader.rest
    valid &= len(np.unique(outliers)) == n_outliers
    valid &= bool(((outliers >= n_initial) & (outliers < n)).all())
    if not valid or (batches and max(batches) > MAX_BATCH):
        raise ValueError("its numbers of images do not agree")
    stack = BitStack(words)
    parts = []
    low_size = 2 ** (8 - codec.n_bits)
    for size in reversed(batches):
        labels = None
        if codec.n_classes:
            labels = stack.pop_uniform((size,), max(2, codec.n_classes))
        images = codec.decode(size, labels, stack)
        if has_low and low_size > 1:
            images += stack.pop_uniform(tuple(images.shape), low_size).to(torch.uint8)
        parts.append(images)
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
