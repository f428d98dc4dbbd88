"""Sorted tables of LevelDB: the format of the index of a TensorFlow checkpoint.

A table is a sequence of blocks and a footer of 48 bytes. The footer says where two blocks are, one
of which, the index, says where the blocks of data are. An entry of a block shares the beginning of
its key with the entry before it: three varints (bytes shared, bytes that follow, bytes of the
value), the rest of the key, the value. After the entries a block lists those that share nothing.
Each block is followed by a byte, 0 if it is not compressed, and by a checksum of both.
"""

import struct
from collections.abc import Iterator, Mapping

from glow.interop.crc32c import masked_crc32c, pack_crc32c
from glow.interop.wire import WireError, read_varint, write_varint
from glow.system.sealed_file import BrokenFileError

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FOOTER = 48  # bytes: two handles of at most 20 bytes each, padding, and MAGIC
TRAILER = 5  # bytes after a block: its compression, and a checksum
RESTART_EVERY = 16  # entries; the others share the beginning of their key
BLOCK_SIZE = 2**16  # bytes after which a new block starts
LONGEST_KEY = 4096  # bytes, so that shared beginnings cannot fill the memory


def read_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a table in the order of their keys.

    Args:
        table: The file.

    Raises:
        BrokenFileError: If it is not a table, or cut off, or a checksum is wrong.
        ValueError: If it is compressed.
    """
    if len(table) < FOOTER or not table.endswith(MAGIC):
        raise BrokenFileError("its end is missing")
    try:
        footer = memoryview(table)[-FOOTER:]
        _, _, position = _read_handle(footer, 0)  # of a block without use here
        index = _read_block(table, *_read_handle(footer, position)[:2])
        before = b""
        for _, handle in _read_entries(index):
            offset, size, _ = _read_handle(memoryview(handle), 0)
            for key, value in _read_entries(_read_block(table, offset, size)):
                if key <= before and before:
                    raise BrokenFileError("its keys are not in order")
                before = key
                yield key, value
    except WireError as error:
        raise BrokenFileError(f"it is no valid table: {error}") from None


def _read_handle(buffer: memoryview, start: int) -> tuple[int, int, int]:
    """Return the offset and the size of a block, and where this handle ends."""
    offset, position = read_varint(buffer, start)
    size, position = read_varint(buffer, position)
    return offset, size, position


def _read_block(table: bytes, offset: int, size: int) -> memoryview:
    end = offset + size
    if end + TRAILER > len(table) - FOOTER:
        raise BrokenFileError(f"a block should be at {offset} to {end}, beyond the end of the file")
    checksum = int.from_bytes(table[end + 1 : end + TRAILER], "little")
    if masked_crc32c(table[offset : end + 1]) != checksum:
        raise BrokenFileError(f"the checksum of the block at {offset} is wrong")
    if table[end]:
        raise ValueError("it is compressed, which is not supported")
    return memoryview(table)[offset:end]


def _read_entries(block: memoryview) -> Iterator[tuple[bytes, bytes]]:
    n_restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (1 + n_restarts)
    if end < 0:
        raise BrokenFileError("a block is shorter than its list of restarts")
    position, key = 0, b""
    while position < end:
        shared, position = read_varint(block, position)
        unshared, position = read_varint(block, position)
        length, position = read_varint(block, position)
        if shared > len(key) or shared + unshared > LONGEST_KEY:
            raise BrokenFileError("a key is longer than it can be")
        if unshared + length > end - position:
            raise BrokenFileError("an entry is longer than its block")
        key = key[:shared] + bytes(block[position : position + unshared])
        position += unshared
        yield key, bytes(block[position : position + length])
        position += length


def write_table(entries: Mapping[bytes, bytes]) -> bytes:
    """Return the bytes of a table.

    Args:
        entries: Values by their keys.
    """
    table, block, index = bytearray(), _Block(), _Block(restart_every=1)
    for key in sorted(entries):
        block.add(key, entries[key])
        if len(block.content) >= BLOCK_SIZE:
            index.add(key, _append(table, block))
            block = _Block()
    if block.content:
        index.add(max(entries), _append(table, block))
    handles = _append(table, _Block()) + _append(table, index)
    return bytes(table + handles.ljust(FOOTER - len(MAGIC), b"\0") + MAGIC)


class _Block:
    """Entries, before they are written."""

    def __init__(self, restart_every: int = RESTART_EVERY) -> None:
        self.content = bytearray()
        self.restarts = [0]
        self.restart_every = restart_every
        self.n_entries = 0
        self.key = b""

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self.n_entries and self.n_entries % self.restart_every == 0:
            self.restarts.append(len(self.content))
        else:
            while shared < min(len(key), len(self.key)) and key[shared] == self.key[shared]:
                shared += 1
        lengths = (shared, len(key) - shared, len(value))
        self.content += b"".join(map(write_varint, lengths)) + key[shared:] + value
        self.key = key
        self.n_entries += 1


def _append(table: bytearray, block: _Block) -> bytes:
    """Write a block to the end of a table; return its handle."""
    restarts = (*block.restarts, len(block.restarts))
    content = bytes(block.content) + struct.pack(f"<{len(restarts)}I", *restarts) + b"\0"
    handle = write_varint(len(table)) + write_varint(len(content) - 1)
    table += content + pack_crc32c(content)
    return handle
