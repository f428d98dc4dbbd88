"""ONNX files, which run without PyTorch."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from glow.interop.export.checking import Program
from glow.interop.export.entry_points import EntryPoint, Examples
from glow.interop.export.torch_format import dynamic_shapes, exported

PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def require_packages() -> None:
    """Raise ``ModuleNotFoundError`` unless the packages for ONNX are installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"format=onnx needs {' and '.join(missing)}: pip install -e '.[export]'"
        )


def write_onnx(entry: EntryPoint, path: Path) -> None:
    """Export a function of a model to ONNX.

    Args:
        entry: The function.
        path: The file.

    Raises:
        ModuleNotFoundError: If a package is missing.
        ValueError: If a part of the model cannot be exported.
    """
    require_packages()
    inputs = entry.examples(2)
    program = exported(entry)
    with _quiet():
        try:
            converted = torch.onnx.export(
                program,
                dynamo=True,
                dynamic_shapes=dynamic_shapes(tuple(inputs.values())),
                input_names=[*inputs],
                output_names=entry.output_names,
                verbose=False,
            )
        except Exception as error:  # whatever the exporter raises for an operation without ONNX
            raise ValueError(
                "this model cannot be exported to ONNX, which has no counterpart of one of its "
                f"operations ({_last(error)}); format=torch_export may be able to"
            ) from error
    assert converted is not None
    converted.save(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the exporter says about its own passes."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def load_onnx(path: Path) -> Program:
    """Open an ONNX file as a function that runs it with onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(examples: Examples) -> list[Tensor]:
        inputs = {name: tensor.numpy() for name, tensor in examples.items()}
        return [torch.from_numpy(output) for output in session.run(None, inputs)]

    return run


def _last(error: BaseException) -> str:
    """Return the first line of the error that caused an error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{error}".strip().partition("\n")[0]
