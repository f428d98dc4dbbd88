"""The precision of a flow's state, which no autocast lowers."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor


class OnDevice(Protocol):
    """Anything on a device, such as a tensor."""

    @property
    def device(self) -> torch.device:
        """The device."""


def without_autocast(x: OnDevice) -> AbstractContextManager[Any]:
    """Compute in the precision of ``x``, whatever autocast is enabled outside."""
    # Other programs that run an exported graph know no autocast, so none is entered needlessly.
    if not torch.is_autocast_enabled(x.device.type):
        return nullcontext()
    return torch.autocast(x.device.type, enabled=False)


@contextmanager
def full_precision(x: OnDevice) -> Iterator[None]:
    """Compute in the precision of ``x``, as ``without_autocast``, and exactly so on a GPU.

    The state of a flow and its log-determinants stay in float32. Rounding them to bfloat16 costs
    0.028 bits/dim at K = 16; rounding only the inside of the coupling networks costs 0.002. On a
    GPU this also disables TF32, which has only 2 more bits than bfloat16, for products and
    convolutions. Compiled code keeps the TF32 setting of its caller, because a graph cannot change
    it.
    """
    with without_autocast(x):
        if x.device.type != "cuda" or torch.compiler.is_compiling():
            yield
            return
        libraries: Any = torch.backends
        backends = (libraries.cuda.matmul, libraries.cudnn.conv)
        outside = [backend.fp32_precision for backend in backends]
        try:
            for backend in backends:
                backend.fp32_precision = "ieee"
            yield
        finally:
            for backend, precision in zip(backends, outside, strict=True):
                backend.fp32_precision = precision


def in_float64(x: Tensor) -> Tensor:
    """Return ``x`` in float64, moved to the CPU if its device (MPS) has no float64."""
    return (x.cpu() if x.device.type == "mps" else x).double()
