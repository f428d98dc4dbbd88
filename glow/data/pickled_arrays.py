"""Arrays in pickled files, read without running the code that a pickle may contain."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# What pickles of arrays call.
ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce_ex__(2)[0],
    ("numpy.core.multiarray", "scalar"): np.float64(0).__reduce__()[0],
    ("numpy.core.numeric", "_frombuffer"): np.empty(0).__reduce_ex__(5)[0],
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        known = (module.replace("numpy._core", "numpy.core"), name)
        if known not in ALLOWED:
            raise pickle.UnpicklingError(f"it contains {module}.{name}, which is no array")
        return ALLOWED[known]


def read_pickled_arrays(path: Path) -> dict[str, Any]:
    """Read a pickled dict of arrays and lists, such as a batch of ImageNet 32.

    Raises:
        ValueError: If the file is something else.
    """
    try:
        with path.open("rb") as file:
            arrays = _ArrayUnpickler(file, encoding="latin1").load()
    except Exception as error:  # pickle raises many kinds of errors on other files
        raise ValueError(
            f"{path} is neither an npz file nor a pickled dict of arrays ({error}): download it "
            "again, or save the arrays with numpy.savez"
        ) from error
    if not isinstance(arrays, dict):
        raise ValueError(f"{path} must hold a dict of arrays, got {type(arrays).__name__}")
    return {str(name): value for name, value in arrays.items()}
