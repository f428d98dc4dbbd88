"""The contract that every layer keeps."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Bijection(nn.Module, ABC):
    r"""An invertible map that knows how it changes volume.

    The one law of a flow is

        log p(x) = log N(latents; 0, I) + log_det

    where ``log_det`` is the sum of what its layers report, so a layer is right exactly when
    ``forward`` returns ``y = f(x)`` with ``log_det = log|det dy/dx|`` and ``inverse`` returns
    ``f^{-1}(y)``. Forward runs from image to latent.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B,C,H,W) to (B,C',H',W') and return it with ``log_det`` (B,), in nats."""

    @abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """Map (B,C',H',W') back to (B,C,H,W)."""

    def rebuild(self, y: Tensor) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Recompute from y what ``forward`` has computed it from, and record it for autograd.

        Returns x = f^{-1}(y), as leaves of a new graph that are consecutive channels of it, and y
        and log_det in that graph. Layers that can share work between the inverse and the forward
        pass do it here.
        """
        with torch.no_grad():
            x = self.inverse(y)
        return ((x.requires_grad_(),), *self(x))


def zero_log_det(x: Tensor) -> Tensor:
    """Return the log-determinant (B,) of a map that keeps volume, in float32 or wider."""
    return torch.zeros(
        x.shape[0], dtype=torch.promote_types(x.dtype, torch.float32), device=x.device
    )


@contextmanager
def full_precision(x: Tensor) -> Iterator[None]:
    """Make a context in which ``x`` keeps its own precision, whatever autocast is around it.

    The flow's state and its log-determinants never leave float32: rounding them to bfloat16 costs
    0.028 bits/dim at K 16, where rounding only the inside of the coupling networks costs 0.002. On
    a GPU products and convolutions are kept from TF32, too, which has bfloat16's 8 bits and 2 more,
    but for what is compiled: a graph cannot switch it, and takes it as it is set outside.
    """
    with torch.autocast(x.device.type, enabled=False):
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
    """Return ``x`` in float64, on the CPU where its own device (MPS) has no such numbers."""
    return (x.cpu() if x.device.type == "mps" else x).double()
