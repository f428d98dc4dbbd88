"""Time, and memory, of this process or of a GPU."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def seconds(operation: Callable[[], Any], device: str) -> float:
    """Return how long an operation takes, on a GPU until it is done there."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    operation()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def matrix_product_rate(device: str, dtype: torch.dtype = torch.float32) -> float:
    """Return the GFLOP/s of a large matrix product, the best of ten."""
    size = 8192 if device == "cuda" else 2048
    a = torch.randn(size, size, device=device, dtype=dtype)
    return 2e-9 * size**3 / min(seconds(lambda: a @ a, device) for _ in range(10))


def megabytes_held(device: str, *, mapped: bool = True) -> float:
    """Return the megabytes in use: of the GPU, or of this process.

    Without ``mapped``, files that are mapped to its memory do not count.
    """
    if device == "cuda":
        return torch.cuda.memory_allocated() / 1e6
    return _of_process("VmRSS" if mapped else "RssAnon")


def megabytes_peak(device: str) -> float:
    """Return the most megabytes that have been in use."""
    return torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else _of_process("VmHWM")


def _of_process(what: str) -> float:
    """Return megabytes as Linux counts them; nan elsewhere."""
    status = Path("/proc/self/status")
    found = re.search(rf"{what}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1000 if found else float("nan")
