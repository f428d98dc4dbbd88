"""Lossless compression of images with a flow."""

from glow.compression.file_format import DamagedFileError, Lost, read_header
from glow.compression.stream import Batch, Restored, compress, decompress, read, write
from glow.compression.summary import Summary

__all__ = [
    "Batch",
    "DamagedFileError",
    "Lost",
    "Restored",
    "Summary",
    "compress",
    "decompress",
    "read",
    "read_header",
    "write",
]
