"""Exporting: write a file, run it, and keep it if it agrees with the model."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from glow.interop.export.checking import Program, check
from glow.interop.export.entry_points import Decode, Encode, EntryPoint, LogProb
from glow.interop.export.onnx_format import load_onnx, require_packages, write_onnx
from glow.interop.export.torch_format import load_torch_export, write_torch_export
from glow.models import ImageFlow

What = Literal["encode", "decode", "log_prob"]
Format = Literal["onnx", "torch_export"]


class FileFormat(NamedTuple):
    """A format of exported programs.

    Args:
        suffix: Of its files.
        write: Writes a function of a model to a file.
        load: Opens a file as a function.
        require: Raises if a package is missing.
    """

    suffix: str
    write: Callable[[EntryPoint, Path], None]
    load: Callable[[Path], Program]
    require: Callable[[], None] = lambda: None


ENTRY_POINTS: dict[str, type[EntryPoint]] = {
    "encode": Encode,
    "decode": Decode,
    "log_prob": LogProb,
}
FORMATS = {
    "onnx": FileFormat(".onnx", write_onnx, load_onnx, require_packages),
    "torch_export": FileFormat(".pt2", write_torch_export, load_torch_export),
}


def file_name(what: What, format: Format) -> str:
    """Return the usual name of an exported file.

    >>> file_name("encode", "onnx")
    'encode.onnx'
    """
    return f"{what}{FORMATS[format].suffix}"


def export(model: ImageFlow, path: str | Path, what: What, format: Format = "onnx") -> float:
    """Export what a model does as a program that runs without this package.

    The program is run and compared with the model; see ``check``. Inputs and outputs are those of
    ``Encode``, ``Decode`` or ``LogProb``.

    Args:
        model: The model.
        path: The file.
        what: The function: "encode", "decode" or "log_prob".
        format: "onnx", or "torch_export" for a file that ``torch.export.load`` opens.

    Returns:
        The largest difference from the model.

    Raises:
        ModuleNotFoundError: If a package for the format is missing.
        ValueError: If the model has a part that cannot be exported.
        FloatingPointError: If the program disagrees with the model.
    """
    path, file_format = Path(path), FORMATS[format]
    file_format.require()
    entry = ENTRY_POINTS[what](model)
    unfinished = path.with_name(f".{path.stem}.part{file_format.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file_format.write(entry, unfinished)
        difference = check(file_format.load(unfinished), entry)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return difference
