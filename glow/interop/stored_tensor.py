"""A tensor in a file of TensorFlow, before it is read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glow.interop.wire import WireError, read_fields

# TensorFlow's DataType: its number, its name, and the dtype of numpy where there is one.
_DTYPES: dict[int, tuple[str, str | None]] = {
    1: ("float32", "<f4"),
    2: ("float64", "<f8"),
    3: ("int32", "<i4"),
    4: ("uint8", "|u1"),
    5: ("int16", "<i2"),
    6: ("int8", "|i1"),
    7: ("string", None),
    8: ("complex64", "<c8"),
    9: ("int64", "<i8"),
    10: ("bool", "|b1"),
    14: ("bfloat16", "<u2"),
    17: ("uint16", "<u2"),
    18: ("complex128", "<c16"),
    19: ("float16", "<f2"),
    20: ("resource", None),
    21: ("variant", None),
    22: ("uint32", "<u4"),
    23: ("uint64", "<u8"),
}
FLOAT32, INT32, INT64 = 1, 3, 9
LARGEST = 2**62  # entries; more than any file holds
MOST_AXES = 32  # more than any variable has, and no more than numpy allows


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file.

    Args:
        dtype: The name of its type, such as "float32".
        shape: Its shape.
        read: Reads it.
    """

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]


def dtype_name(number: int) -> str:
    """Return the name of a type by its number in TensorFlow's DataType."""
    return _DTYPES[number][0] if number in _DTYPES else f"type {number}"


def numpy_dtype(number: int) -> np.dtype[Any] | None:
    """Return numpy's dtype for a type of TensorFlow; None for one of varying size, or unknown."""
    _, dtype = _DTYPES.get(number, ("", None))
    return None if dtype is None else np.dtype(dtype)


def read_shape(message: memoryview) -> tuple[int, ...]:
    """Return the shape in a message ``TensorShapeProto``.

    Raises:
        WireError: If a size is negative or unknown, or they are more or larger than any file needs.
    """
    shape = []
    for dim in (field for field in read_fields(message) if field.number == 2):
        sizes = [field.as_int() for field in read_fields(dim.as_bytes()) if field.number == 1]
        shape.append(sizes[-1] if sizes else 0)
    possible = len(shape) <= MOST_AXES and all(0 <= size <= LARGEST for size in shape)
    if not possible or n_entries(shape) > LARGEST:
        raise WireError(f"{shape[:MOST_AXES]} is the shape of no tensor")
    return tuple(shape)


def n_entries(shape: Sequence[int]) -> int:
    """Return the number of entries of a tensor."""
    return math.prod(shape)
