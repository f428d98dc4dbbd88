"""Models of the authors, from the files that their code wrote."""

import glob
import re
import warnings
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glow.interop.frozen_graph import read_graph
from glow.interop.openai.building import build_glow, check
from glow.interop.openai.correspondence import Correspondence, Order, correspondences
from glow.interop.openai.hyperparameters import infer
from glow.interop.stored_tensor import StoredTensor, n_entries
from glow.interop.tensor_bundle import index_of, read_bundle
from glow.models import Glow
from glow.system.sealed_file import BrokenFileError

Weights = Literal["raw", "ema"]

AVERAGE = "/ExponentialMovingAverage"  # what the reference adds to the name of a variable
SLOT = re.compile(r"Variable(_\d+)?|global_step")  # of its optimizer
DATA_FILE = re.compile(r"\.data-\d{5}-of-\d{5}$")
BYTES = 4  # of a float32 or an int32


@dataclass(frozen=True)
class ReferenceModel:
    """A model of the reference, as its file holds it.

    Args:
        variables: The variables of the model by name.
        config: The reference's hyperparameters; see ``build_glow``.
        ignored: The names of further variables that are of no use here.
    """

    variables: Mapping[str, NDArray[Any]]
    config: Mapping[str, Any]
    ignored: Sequence[str]

    def build(self) -> Glow:
        """Return the model."""
        return build_glow(self.variables, self.config)


def load(path: str | Path, image_size: int, n_bits: int = 8, weights: Weights = "raw") -> Glow:
    """Load a model that the authors' code trained, without TensorFlow.

    L, K, width, coupling, permutation, top prior and classes follow from the names and shapes of
    the variables. Warns about variables that no such model has.

    Args:
        path: A checkpoint, ``model_best_loss.ckpt``, with or without ``.index``; or a frozen graph,
            ``graph_unoptimized.pb``.
        image_size: The height and width of an image.
        n_bits: How many bits of a pixel the model sees.
        weights: "raw", or "ema" for their averages over training.

    Returns:
        The model, in evaluation mode.

    Raises:
        FileNotFoundError: If a file is missing.
        BrokenFileError: If a file is damaged.
        ValueError: If the file holds no such model.
    """
    found = read(path, image_size, n_bits, weights)
    if found.ignored:
        warnings.warn(ignored_variables(found), stacklevel=2)
    return found.build()


def ignored_variables(found: ReferenceModel) -> str:
    """Return a line that lists the variables of a file that are of no use."""
    return f"ignored, because no model of openai/glow has them: {', '.join(found.ignored)}"


def read(
    path: str | Path, image_size: int, n_bits: int = 8, weights: Weights = "raw"
) -> ReferenceModel:
    """Read the variables of a model that the authors' code trained; see ``load``.

    Args:
        path: A checkpoint, or a frozen graph.
        image_size: The height and width of an image.
        n_bits: How many bits of a pixel the model sees.
        weights: "raw" or "ema".

    Returns:
        The variables, the hyperparameters, and what was ignored.
    """
    if weights not in ("raw", "ema"):
        raise ValueError(f"weights must be raw or ema, got {weights}")
    file = _open(Path(path))
    if weights == "ema" and not any(name.endswith(AVERAGE) for name in file.stored):
        raise ValueError(f"{file.path} has no averages of the weights: use weights=raw")
    try:
        config = infer(file.stored, image_size, n_bits)
        chosen = _averages(file.stored, config) if weights == "ema" else file.stored
        check(chosen, config)
    except KeyError as error:
        raise ValueError(f"{file.path} lacks the variable {error.args[0]}") from None
    except ValueError as error:
        raise ValueError(
            f"{file.path} holds no model of openai/glow with image_size={image_size} and "
            f"n_bits={n_bits}: {error}"
        ) from None
    needed = [entry for entry in correspondences(config) if entry.theirs in chosen]
    claimed = BYTES * sum(n_entries(chosen[entry.theirs].shape) for entry in needed)
    if claimed > file.n_bytes:
        raise BrokenFileError(
            f"{file.path} is damaged: its variables would have {claimed} bytes, but it has only "
            f"{file.n_bytes}"
        )
    variables = {entry.theirs: _array(file.path, entry, chosen[entry.theirs]) for entry in needed}
    known = variables.keys() | {name + AVERAGE for name in variables}
    unknown = file.variables - known - {name + AVERAGE for name in file.variables}
    ignored = sorted(name for name in unknown if not SLOT.fullmatch(name))
    return ReferenceModel(variables, config, ignored)


@dataclass(frozen=True)
class _File:
    """An open file: its path, its tensors, the names of variables, and its size."""

    path: Path
    stored: Mapping[str, StoredTensor]
    variables: Set[str]
    n_bytes: int


def _open(path: Path) -> _File:
    """Open a checkpoint or a frozen graph."""
    if path.is_dir():
        found = [*path.glob("*.index"), *path.glob("*.pb")]
        if len(found) != 1:
            raise ValueError(
                f"{path} is a folder with {len(found)} checkpoints and graphs: give the path of one"
            )
        [path] = found
    prefix = path.with_name(DATA_FILE.sub("", path.name).removesuffix(".index"))
    data_files = [*path.parent.glob(f"{glob.escape(prefix.name)}.data-*")]
    if index_of(prefix).is_file() or data_files:
        stored = read_bundle(prefix)
        n_bytes = sum(data_file.stat().st_size for data_file in data_files)
        return _File(index_of(prefix), stored, stored.keys(), n_bytes)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}: expected a checkpoint such as model_best_loss.ckpt, of which "
            "there are files .index and .data-00000-of-00001, or a graph_unoptimized.pb"
        )
    graph = read_graph(path)
    return _File(path, graph.constants, graph.variables, path.stat().st_size)


def _averages(
    stored: Mapping[str, StoredTensor], config: Mapping[str, Any]
) -> dict[str, StoredTensor]:
    """Return the averages under the names of the variables; permutations have none."""
    chosen = {}
    for entry in correspondences(config):
        name = entry.theirs if isinstance(entry.layout, Order) else entry.theirs + AVERAGE
        if name in stored:
            chosen[entry.theirs] = stored[name]
        elif not entry.optional:
            raise KeyError(name)
    return chosen


def _array(path: Path, entry: Correspondence, stored: StoredTensor) -> NDArray[Any]:
    """Read a variable, which must be of the right type and finite."""
    dtypes = ("int32", "int64") if isinstance(entry.layout, Order) else ("float32",)
    if stored.dtype not in dtypes:
        raise ValueError(
            f"{path} holds {entry.theirs} as {stored.dtype}, but {dtypes[0]} is needed"
        )
    array = stored.read()
    if not np.isfinite(array).all():
        raise ValueError(f"{path} holds values of {entry.theirs} that are not finite")
    return array
