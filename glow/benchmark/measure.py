"""Time, and the memory of this process or of a GPU."""

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Product = Callable[[], Tensor]
Prepare = Callable[[Tensor], Product]  # of a square matrix


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


def matrix_rates(device: str, dtype: torch.dtype = torch.float32) -> dict[str, float]:
    """Return the GFLOP/s of a large matrix product in each library that offers one.

    The product is a plain one (``mm``), a 1x1 convolution in channels-last format (``conv2d``) and,
    in float32 on a CPU, a linear layer of oneDNN (``linear``). Which one is the fastest depends on
    the maker of the processor. The size grows up to 2048, or 8192 on a GPU, as long as a product
    takes less than 50 ms: without instructions for bfloat16, a processor may need a minute for the
    largest.

    Args:
        device: The device.
        dtype: The type of the numbers.

    Returns:
        The best of ten runs of the best size, by name of the product.
    """
    return {
        name: _rate(prepare, device, dtype)
        for name, prepare in PRODUCTS.items()
        if name != "linear" or (device, dtype) == ("cpu", torch.float32)
    }


def _rate(prepare: Prepare, device: str, dtype: torch.dtype) -> float:
    rate, fastest = 0.0, 0.0
    size, largest = 128, 8192 if device == "cuda" else 2048
    while fastest < 0.05 and size <= largest:
        product = prepare(torch.randn(size, size, device=device, dtype=dtype))
        fastest = min(seconds(product, device) for _ in range(10))
        rate = max(rate, 2e-9 * size**3 / fastest)
        size *= 2
    return rate


def _product(a: Tensor) -> Product:
    return partial(torch.mm, a, a)


def _convolution(a: Tensor) -> Product:
    images = a.view(-1, 8, 8, a.shape[1]).permute(0, 3, 1, 2)
    return partial(F.conv2d, images, a[:, None, None].permute(0, 3, 1, 2))


def _linear(a: Tensor) -> Product:
    return partial(F.linear, a.to_mkldnn(), a.to_mkldnn())


PRODUCTS: dict[str, Prepare] = {"mm": _product, "conv2d": _convolution, "linear": _linear}


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


def forget_peak(device: str) -> None:
    """Let the peak of a GPU start anew; that of a process cannot."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _of_process(what: str) -> float:
    """Return megabytes as Linux counts them; nan on other systems."""
    status = Path("/proc/self/status")
    found = re.search(rf"{what}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1000 if found else float("nan")
