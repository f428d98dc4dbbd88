"""Trained models as programs that run without this package: ONNX, torch.export."""

from glow.interop.export.checking import check
from glow.interop.export.entry_points import Decode, Encode, EntryPoint, LogProb
from glow.interop.export.writing import FORMATS, Format, What, export, file_name

__all__ = [
    "FORMATS",
    "Decode",
    "Encode",
    "EntryPoint",
    "Format",
    "LogProb",
    "What",
    "check",
    "export",
    "file_name",
]
