"""PNG files of any kind, written chunk by chunk."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, content: bytes) -> bytes:
    """Return a chunk with its length and its checksum."""
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def png(
    row: bytes, width: int, depth: int, kind: int, *extra: tuple[bytes, bytes], height: int = 1
) -> bytes:
    """Return a PNG file.

    Args:
        row: The bytes of a row, which all rows share.
        width: The number of pixels in a row.
        depth: The number of bits of a channel.
        kind: 0 for gray, 2 for RGB, 3 for a palette, 4 for gray with opacity, 6 for RGBA.
        extra: Names and contents of the chunks before the pixels.
        height: The number of rows.
    """
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    pixels = zlib.compress((b"\0" + row) * height)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", pixels), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(name, content) for name, content in chunks)
