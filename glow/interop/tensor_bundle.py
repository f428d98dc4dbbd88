"""TensorFlow's V2 checkpoints: a table of tensors, and files with their bytes.

The table, ``<name>.index``, maps the names of tensors to their types, shapes, places and checksums.
The bytes are in ``<name>.data-00000-of-00001``, or in several such files. ``BundleHeaderProto`` and
``BundleEntryProto`` of TensorFlow describe the values of the table.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glow.interop.crc32c import masked_crc32c
from glow.interop.sstable import read_table, write_table
from glow.interop.stored_tensor import (
    FLOAT32,
    INT32,
    StoredTensor,
    dtype_name,
    n_entries,
    numpy_dtype,
    read_shape,
)
from glow.interop.wire import (
    WireError,
    bytes_field,
    fixed32_field,
    read_fields,
    varint_field,
)
from glow.system.sealed_file import BrokenFileError

HEADER_KEY = b""
VERSION = bytes_field(3, varint_field(1, 1))  # of the format, in the header


@dataclass
class _Entry:
    """A tensor of the index: type, shape, data file, offset, size, checksum."""

    dtype: int = 0
    shape: tuple[int, ...] = ()
    shard: int = 0
    offset: int = 0
    size: int = 0
    crc32c: int = 0
    sliced: bool = False


@dataclass
class _Shard:
    """A file of data, and how many of its bytes are spoken for."""

    path: Path
    size: int = field(init=False)
    claimed: int = 0

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path} is missing: the index names it")
        self.size = self.path.stat().st_size


def index_of(prefix: Path) -> Path:
    """Return the path of the index of a checkpoint."""
    return prefix.with_name(f"{prefix.name}.index")


def read_bundle(prefix: str | Path) -> dict[str, StoredTensor]:
    """Open a checkpoint, and check every tensor in it.

    Nothing is read beyond the places that the index names, and no more than one tensor at a time is
    in memory.

    Args:
        prefix: The name of the checkpoint, without ``.index``.

    Returns:
        Tensors by name. Each is read again when it is asked for.

    Raises:
        FileNotFoundError: If a file is missing.
        BrokenFileError: If a file is cut off, or a checksum is wrong.
        ValueError: If this is a checkpoint of a kind that is not supported.
    """
    prefix = Path(prefix)
    index = index_of(prefix)
    try:
        table = dict(read_table(index.read_bytes()))
        n_shards = _read_header(table.pop(HEADER_KEY, None))
        entries = {_decoded(key): _read_entry(value) for key, value in table.items()}
    except BrokenFileError as error:
        raise BrokenFileError(f"{index} is damaged: {error}") from None
    except WireError as error:
        raise BrokenFileError(f"{index} is damaged: an entry is invalid ({error})") from None
    except ValueError as error:
        raise ValueError(f"{index} cannot be read: {error}") from None
    shards: dict[int, _Shard] = {}
    tensors = {}
    for name, entry in entries.items():
        if not 0 <= entry.shard < n_shards:
            raise BrokenFileError(f"{index} is damaged: there is no data file {entry.shard}")
        if entry.shard not in shards:
            path = prefix.with_name(f"{prefix.name}.data-{entry.shard:05}-of-{n_shards:05}")
            shards[entry.shard] = _Shard(path)
        tensors[name] = _checked(name, entry, shards[entry.shard])
    return tensors


def _decoded(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError:
        raise BrokenFileError(f"the name {key!r} is not text") from None


def _read_header(message: bytes | None) -> int:
    """Return the number of data files."""
    if message is None:
        raise BrokenFileError("it has no header")
    values = {1: 0, 2: 0}
    for item in read_fields(memoryview(message)):
        if item.number in values:
            values[item.number] = item.as_int()
    n_shards, endianness = values.values()
    if endianness:
        raise ValueError("its numbers are big-endian, which is not supported")
    if n_shards < 1:
        raise BrokenFileError(f"it has {n_shards} data files")
    return n_shards


def _read_entry(message: bytes) -> _Entry:
    entry = _Entry()
    for item in read_fields(memoryview(message)):
        match item.number:
            case 1:
                entry.dtype = item.as_int()
            case 2:
                entry.shape = read_shape(item.as_bytes())
            case 3:
                entry.shard = item.as_int()
            case 4:
                entry.offset = item.as_int()
            case 5:
                entry.size = item.as_int()
            case 6:
                entry.crc32c = item.as_int()
            case 7:
                entry.sliced = True
    return entry


def _checked(name: str, entry: _Entry, shard: _Shard) -> StoredTensor:
    """Check the place and the bytes of a tensor."""
    if entry.sliced:
        raise ValueError(f"{shard.path} holds {name} in slices, which is not supported")
    end = entry.offset + entry.size
    if entry.offset < 0 or entry.size < 0 or end > shard.size:
        raise BrokenFileError(
            f"{name} should be at {entry.offset} to {end} of {shard.path}, which has {shard.size} "
            "bytes: the file is cut off, or the index is damaged"
        )
    shard.claimed += entry.size
    if shard.claimed > shard.size:
        raise BrokenFileError(f"{name} overlaps with another tensor in {shard.path}")
    dtype = numpy_dtype(entry.dtype)
    if dtype is not None and n_entries(entry.shape) * dtype.itemsize != entry.size:
        raise BrokenFileError(
            f"{name} has {entry.size} bytes in {shard.path}, which do not fit its shape "
            f"{entry.shape} of {dtype_name(entry.dtype)}"
        )
    stored = functools.partial(_read_bytes, name, entry, shard.path)
    if dtype is not None:  # other types have checksums of another kind
        stored()
    return StoredTensor(
        dtype_name(entry.dtype),
        entry.shape,
        lambda: np.frombuffer(stored(), dtype).reshape(entry.shape),
    )


def _read_bytes(name: str, entry: _Entry, path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(entry.offset)
        content = file.read(entry.size)
    if masked_crc32c(content) != entry.crc32c:
        raise BrokenFileError(f"the checksum of {name} in {path} is wrong")
    return content


def write_bundle(tensors: Mapping[str, NDArray[Any]], prefix: str | Path) -> list[Path]:
    """Write a checkpoint that TensorFlow reads.

    Args:
        tensors: float32 and int32 arrays by name.
        prefix: The name of the checkpoint; ``.index`` and ``.data-00000-of-00001`` are added.

    Returns:
        The files that were written.

    Raises:
        ValueError: If an array has another dtype.
    """
    prefix = Path(prefix)
    index, data = index_of(prefix), prefix.with_name(f"{prefix.name}.data-00000-of-00001")
    entries = {HEADER_KEY: varint_field(1, 1) + VERSION}
    numbers = {np.dtype(np.float32): FLOAT32, np.dtype(np.int32): INT32}
    prefix.parent.mkdir(parents=True, exist_ok=True)
    unfinished = data.with_name(f".{data.name}.part")
    try:
        with unfinished.open("wb") as file:
            for name in sorted(tensors, key=str.encode):
                array = tensors[name]
                if array.dtype not in numbers:
                    raise ValueError(f"{name} must be float32 or int32, got {array.dtype}")
                content = array.astype(array.dtype.newbyteorder("<")).tobytes()
                shape = b"".join(bytes_field(2, varint_field(1, size)) for size in array.shape)
                entries[name.encode()] = (
                    varint_field(1, numbers[array.dtype])
                    + bytes_field(2, shape)
                    + varint_field(4, file.tell())
                    + varint_field(5, len(content))
                    + fixed32_field(6, masked_crc32c(content))
                )
                file.write(content)
        unfinished.replace(data)
    finally:
        unfinished.unlink(missing_ok=True)
    index.write_bytes(write_table(entries))
    return [index, data]
