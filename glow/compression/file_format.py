"""The file: a header, chunks that can be read one by one, and an end.

::

    file    = MAGIC, version u16, length u32, header as JSON, crc32 of all of these, record*
    record  = RECORD (below), payload, crc32 of the payload

Numbers are little-endian. The last record has the kind ``END`` and no payload. Each record says
which images it holds, so that a reader that finds a damaged one can go on with the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from torch import Tensor

MAGIC = b"\x89GLOW\r\n\n"
VERSION = 1
PREFIX = struct.Struct("<8sHI")
RECORD = struct.Struct("<4sBQIQ16s")  # TAG, kind, first image, images, bytes of payload, digest
CRC = struct.Struct("<I")
TAG = b"GLCK"
END = 255
LONGEST_HEADER = 2**16
BLOCK = 2**20


class DamagedFileError(ValueError):
    """A file, or a part of it, is not as it was written."""


@dataclass(frozen=True)
class Record:
    """A chunk in a file.

    Args:
        kind: The kind of the chunk, or ``END``.
        first: The number of its first image.
        n: The number of its images.
        payload: Its bytes.
        digest: What ``digest`` returned for its images.
    """

    kind: int
    first: int
    n: int
    payload: bytes
    digest: bytes


@dataclass(frozen=True)
class Lost:
    """Images that a damaged part of a file held.

    Args:
        first: The number of the first.
        end: The number after the last, or None if it is not known.
        reason: What is wrong, as part of a sentence.
    """

    first: int
    end: int | None
    reason: str

    def __str__(self) -> str:
        last = "the last" if self.end is None else str(self.end - 1)
        images = f"image {last}" if self.end == self.first + 1 else f"images {self.first} to {last}"
        return f"{images}: {self.reason}"


def digest(images: Tensor) -> bytes:
    """Return a checksum of uint8 images, 16 bytes."""
    return hashlib.blake2b(images.contiguous().numpy().tobytes(), digest_size=16).digest()


def write_header(header: dict[str, Any], file: BinaryIO) -> None:
    """Begin a file.

    Args:
        header: Plain Python for JSON.
        file: The file.
    """
    text = json.dumps(header, sort_keys=True).encode()
    start = PREFIX.pack(MAGIC, VERSION, len(text)) + text
    file.write(start + CRC.pack(zlib.crc32(start)))


def write_record(record: Record, file: BinaryIO) -> None:
    """Append a record."""
    start = RECORD.pack(
        TAG, record.kind, record.first, record.n, len(record.payload), record.digest
    )
    file.write(start + CRC.pack(zlib.crc32(start)))
    file.write(record.payload + CRC.pack(zlib.crc32(record.payload)))


def read_header(file: BinaryIO) -> dict[str, Any]:
    """Read the header of a file.

    Raises:
        DamagedFileError: If it is no such file, of another version, or damaged.
    """
    start = file.read(PREFIX.size)
    if len(start) < PREFIX.size or not start.startswith(MAGIC):
        raise DamagedFileError("it is not a file that experiments/compress.py wrote")
    _, version, length = PREFIX.unpack(start)
    if version != VERSION:
        raise DamagedFileError(
            f"its format is version {version}, and this program reads version {VERSION}"
        )
    text, checksum = file.read(min(length, LONGEST_HEADER)), file.read(CRC.size)
    if length > LONGEST_HEADER or checksum != CRC.pack(zlib.crc32(start + text)):
        raise DamagedFileError("its header is damaged, so that nothing in it can be read")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise DamagedFileError("its header is not that of experiments/compress.py")
    return header


def read_records(file: BinaryIO) -> Iterator[Record | Lost]:
    """Yield the chunks of a file, after its header, and what is lost between them.

    Args:
        file: The file, which can be searched.
    """
    expected, reason = 0, ""
    while True:
        place = file.tell()
        found = _read_record(file)
        if isinstance(found, str):
            reason = reason or found
            if not _seek_tag(file, place + 1):
                yield Lost(expected, None, reason)
                return
            continue
        if found.first < expected:
            reason = reason or "a part is not where it belongs"
            continue
        if found.first > expected:
            yield Lost(expected, found.first, reason or "a part is missing")
        reason = ""
        if found.kind == END:
            return
        expected = found.first + found.n
        yield found


def _read_record(file: BinaryIO) -> Record | str:
    """Read the next record, or say what is wrong with it."""
    start, checksum = file.read(RECORD.size), file.read(CRC.size)
    if len(checksum) < CRC.size:
        return "the end of the file is missing"
    tag, kind, first, n, length, images = RECORD.unpack(start)
    if tag != TAG or checksum != CRC.pack(zlib.crc32(start)):
        return "the file is damaged there"
    here = file.tell()
    if length > file.seek(0, os.SEEK_END) - here:
        return "the end of the file is missing"
    file.seek(here)
    payload, checksum = file.read(length), file.read(CRC.size)
    if checksum != CRC.pack(zlib.crc32(payload)):
        return "the file is damaged there"
    return Record(kind, first, n, payload, images)


def _seek_tag(file: BinaryIO, place: int) -> bool:
    """Go to the next place, from ``place`` on, that looks like the start of a record."""
    while True:
        file.seek(place)
        block = file.read(BLOCK)
        found = block.find(TAG)
        if found >= 0:
            file.seek(place + found)
            return True
        if len(block) < BLOCK:
            return False
        place += BLOCK - len(TAG) + 1
