"""The checksum of TensorFlow's files: CRC-32C, masked."""

import struct

import google_crc32c

MASK = 0xA282EAD8


def masked_crc32c(*parts: bytes) -> int:
    """Return the masked CRC-32C of some bytes, which may be given in parts.

    The checksum of bytes that contain their own checksum would be a constant; the mask, a rotation
    and a sum, avoids that. ``crc32c::Mask`` of TensorFlow.

    >>> hex(masked_crc32c(b"1234", b"56789"))
    '0xc78ab0e5'
    """
    crc = 0
    for part in parts:
        crc = google_crc32c.extend(crc, part)
    return ((crc >> 15 | crc << 17) + MASK) % 2**32


def pack_crc32c(*parts: bytes) -> bytes:
    """Return the masked checksum as the 4 bytes that files hold."""
    return struct.pack("<I", masked_crc32c(*parts))
