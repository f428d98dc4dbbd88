"""Programs of torch.export: files that PyTorch runs without this package."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glow.interop.export.checking import Program
from glow.interop.export.entry_points import EntryPoint, Examples


@torch.no_grad()
def exported(entry: EntryPoint) -> torch.export.ExportedProgram:
    """Trace a function of a model for any number of images.

    Raises:
        ValueError: If a part of the model cannot be traced.
    """
    inputs = tuple(entry.examples(2).values())  # a batch of 1 would stay one
    try:
        return torch.export.export(entry.eval(), inputs, dynamic_shapes=dynamic_shapes(inputs))
    except Exception as error:  # whatever torch raises for a part that it cannot trace
        raise ValueError(
            f"this model cannot be exported, because torch.export cannot trace it: {_first(error)}"
        ) from error


def dynamic_shapes(inputs: Sequence[Tensor]) -> Any:
    """Return torch.export's description of inputs whose first axis varies."""
    batch = torch.export.Dim("batch", min=1)
    return (tuple({0: batch} for _ in inputs),)


def write_torch_export(entry: EntryPoint, path: Path) -> None:
    """Export a function of a model with torch.export.

    Args:
        entry: The function.
        path: The file, which ``torch.export.load`` opens.
    """
    with _quiet():
        torch.export.save(exported(entry), path)


def load_torch_export(path: Path) -> Program:
    """Open an exported file as a function."""
    with _quiet():
        module = torch.export.load(path).module()

    def run(examples: Examples) -> list[Tensor]:
        outputs = module(*examples.values())
        return [outputs] if isinstance(outputs, Tensor) else [*outputs]

    return run


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence advice about tensors that are not on a CPU."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*No complete tensor found.*")
        yield


def _first(error: BaseException) -> str:
    """Return the first line of a message."""
    return f"{error}".strip().partition("\n")[0]
