"""The constants of a frozen TensorFlow graph, such as the model of the authors' demo.

A ``GraphDef`` is a list of nodes. Freezing turned variables into nodes of the kind ``Const``, whose
attribute ``value`` holds a ``TensorProto``. Such a file has no checksums.
"""

import mmap
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glow.interop.stored_tensor import (
    FLOAT32,
    INT32,
    INT64,
    StoredTensor,
    dtype_name,
    n_entries,
    numpy_dtype,
    read_shape,
)
from glow.interop.wire import WireError, read_fields
from glow.system.sealed_file import BrokenFileError

VARIABLES = {"Variable", "VariableV2", "VarHandleOp"}  # the kinds of nodes that freezing replaces
READ = "/read"  # what the node is called that reads a variable
# The fields of a TensorProto with numbers that are not in its tensor_content, by their type.
LISTS = {FLOAT32: 5, INT32: 7, INT64: 10}


@dataclass(frozen=True)
class FrozenGraph:
    """What a graph holds.

    Args:
        constants: All constants by name. Each is read when it is asked for.
        variables: The names of those that were variables before the graph was frozen.
    """

    constants: Mapping[str, StoredTensor]
    variables: Set[str]


def read_graph(path: str | Path) -> FrozenGraph:
    """Open a frozen graph.

    The file is mapped, so that only what is needed is in memory.

    Args:
        path: The file, a serialized ``GraphDef``.

    Returns:
        Its constants.

    Raises:
        BrokenFileError: If the file is cut off, or is no such file.
        ValueError: If the graph is not frozen.
    """
    path = Path(path)
    with path.open("rb") as file:
        size = path.stat().st_size
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b"")
    constants: dict[str, StoredTensor] = {}
    names = set()
    try:
        for node in (field.as_bytes() for field in read_fields(content) if field.number == 1):
            name, kind, value = _read_node(node)
            if kind in VARIABLES:
                raise ValueError(
                    f"{path} is a graph that is not frozen: {name} is a variable, where a constant "
                    "is needed; expected a file such as graph_unoptimized.pb, or a checkpoint"
                )
            if name in names:
                raise BrokenFileError(f"{path} is damaged: it has two nodes {name}")
            names.add(name)
            if kind == "Const" and value is not None:
                constants[name] = _read_tensor(value, f"the constant {name} of {path}")
    except WireError as error:
        raise BrokenFileError(
            f"{path} is no graph of TensorFlow, or is damaged: {error}; expected a GraphDef such "
            "as graph_unoptimized.pb"
        ) from None
    return FrozenGraph(constants, {name for name in constants if name + READ in names})


def _read_node(node: memoryview) -> tuple[str, str, memoryview | None]:
    """Return the name and the kind of a node, and its tensor, if it has one."""
    name, kind, value = "", "", None
    for field in read_fields(node):
        if field.number == 1:
            name = field.as_text()
        elif field.number == 2:
            kind = field.as_text()
        elif field.number == 5:  # an attribute: its name, and an AttrValue
            attribute = {item.number: item for item in read_fields(field.as_bytes())}
            if {1, 2} <= attribute.keys() and attribute[1].as_text() == "value":
                tensors = [t for t in read_fields(attribute[2].as_bytes()) if t.number == 8]
                value = tensors[-1].as_bytes() if tensors else None
    return name, kind, value


def _read_tensor(message: memoryview, where: str) -> StoredTensor:
    """Return the tensor of a ``TensorProto``."""
    number, content = 0, memoryview(b"")
    shape: tuple[int, ...] = ()
    for field in read_fields(message):
        if field.number == 1:
            number = field.as_int()
        elif field.number == 2:
            shape = read_shape(field.as_bytes())
        elif field.number == 4:
            content = field.as_bytes()

    def read() -> NDArray[Any]:
        dtype = numpy_dtype(number)
        if dtype is None:
            raise ValueError(f"{where} is {dtype_name(number)}, which cannot be read")
        n = n_entries(shape)
        if len(content) % dtype.itemsize:
            raise BrokenFileError(f"{where} is damaged: it ends within a number")
        try:
            values = np.frombuffer(content or _listed(message, number, n), dtype)
        except WireError as error:
            raise BrokenFileError(f"{where} is damaged: {error}") from None
        if len(values) == 1:  # of a tensor whose entries are all the same
            return np.broadcast_to(values.reshape(()), shape)
        if len(values) != n:
            raise BrokenFileError(
                f"{where} is damaged: {len(values)} numbers do not fit its shape {shape}"
            )
        return values.reshape(shape)

    return StoredTensor(dtype_name(number), shape, read)


def _listed(message: memoryview, number: int, n: int) -> bytearray:
    """Return the bytes of numbers that are listed one by one, and no more than one too many."""
    found = bytearray()
    for field in (field for field in read_fields(message) if field.number == LISTS.get(number)):
        if number == FLOAT32:
            found += field.as_packed(4)
            continue
        size = 4 if number == INT32 else 8
        for value in field.packed_ints():
            if len(found) > n * size:
                break
            found += (value % 2 ** (8 * size)).to_bytes(size, "little")
    return found
