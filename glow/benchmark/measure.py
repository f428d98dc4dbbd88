"""Time, and the memory of this process or of a GPU."""

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch


def seconds(operation: Callable[[], Any], device: str) -> float:
    """Return how long an operation takes, including what it started on a GPU.

    Args:
        operation: The operation.
        device: The device that it uses.
    """
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    operation()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def matrix_product_rate(device: str, dtype: torch.dtype = torch.float32) -> float:
    """Return the GFLOP/s of a large matrix product, the best of ten runs.

    The size grows up to 2048, or 8192 on a GPU, as long as a product takes less than 50 ms: without
    instructions for bfloat16, a processor may need a minute for the largest.

    Args:
        device: The device.
        dtype: The type of the numbers.
    """
    rate, fastest = 0.0, 0.0
    size, largest = 128, 8192 if device == "cuda" else 2048
    while fastest < 0.05 and size <= largest:
        a = torch.randn(size, size, device=device, dtype=dtype)
        product = partial(torch.mm, a, a)
        fastest = min(seconds(product, device) for _ in range(10))
        rate = max(rate, 2e-9 * size**3 / fastest)
        size *= 2
    return rate


def megabytes_held(device: str, *, mapped: bool = True) -> float:
    """Return the megabytes in use, of a GPU or of this process.

    Args:
        device: The device.
        mapped: Whether to count files that are mapped to the memory of this process.
    """
    if device == "cuda":
        return torch.cuda.memory_allocated() / 1e6
    return _of_process("VmRSS" if mapped else "RssAnon")


def megabytes_peak(device: str) -> float:
    """Return the largest number of megabytes that were in use."""
    return torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else _of_process("VmHWM")


def _of_process(what: str) -> float:
    """Return megabytes as Linux counts them; nan on other systems."""
    status = Path("/proc/self/status")
    found = re.search(rf"{what}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1000 if found else float("nan")
