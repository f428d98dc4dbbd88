"""Stages whose scales depend on the image: couplings, splits, and the top prior."""

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from glow.bijections import AdditiveCoupling, Coupling, Folded
from glow.compression.bit_stack import BitStack
from glow.compression.grid import Rescaling, to_integers
from glow.compression.stages import UNIT, Stage
from glow.models import TopPrior

Numbers = Callable[[Tensor], tuple[Tensor, Tensor]]  # raw -> shift, log_scale


class Conditional(Stage):
    """A coupling: the first half of the channels decides what happens to the second.

    Args:
        coupling: The coupling, for inference.
        units: The units of the input.
        output: The units of the second half of the output.
    """

    def __init__(self, coupling: Coupling, units: Tensor, output: Tensor) -> None:
        self.coupling = coupling
        self.folded: Folded | None = None
        self.dtype = next((p.dtype for p in coupling.parameters()), torch.float32)
        self.units_a, self.units_b = units.chunk(2)
        super().__init__(torch.cat([self.units_a, output]))

    @abstractmethod
    def encode_half(self, x_b: Tensor, raw: Tensor, stack: BitStack) -> Tensor:
        """Map the second half.

        Args:
            x_b: int64 (B,C/2,...).
            raw: The output of the network.
            stack: The stack.
        """

    @abstractmethod
    def decode_half(self, y_b: Tensor, raw: Tensor, stack: BitStack) -> Tensor:
        """Map it back; the inverse of ``encode_half``."""

    def encode(self, x: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Run the network on the first half, and map the second."""
        x_a, x_b = x.chunk(2, dim=1)
        return torch.cat([x_a, self.encode_half(x_b, self.raw(x_a, labels), stack)], dim=1)

    def decode(self, y: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Run the network on the same integers again, and map the second half back."""
        y_a, y_b = y.chunk(2, dim=1)
        return torch.cat([y_a, self.decode_half(y_b, self.raw(y_a, labels), stack)], dim=1)

    def raw(self, x_a: Tensor, labels: Tensor | None) -> Tensor:
        """Return the output of the network."""
        # New memory in one layout, so that both directions run the same kernels.
        layout = torch.channels_last if x_a.ndim == 4 else torch.contiguous_format
        real = torch.empty(x_a.shape, dtype=self.dtype, memory_format=layout)
        real.copy_(x_a * self.units_a)
        self.folded = self.coupling.folded_for(real, self.folded)
        return self.coupling.raw(real, labels, self.folded)


class Adding(Conditional):
    """An additive coupling, which takes no bits."""

    def __init__(self, coupling: AdditiveCoupling, units: Tensor) -> None:
        super().__init__(coupling, units, units.chunk(2)[1])

    def encode_half(self, x_b: Tensor, raw: Tensor, stack: BitStack) -> Tensor:
        """Add the rounded output of the network."""
        return x_b + to_integers(raw / self.units_b)

    def decode_half(self, y_b: Tensor, raw: Tensor, stack: BitStack) -> Tensor:
        """Subtract it."""
        return y_b - to_integers(raw / self.units_b)


class Rescaled(Conditional):
    """A coupling that shifts and scales: ``y_b = (x_b + shift) * exp(log_scale)``.

    Args:
        coupling: The coupling.
        numbers: From the output of the network to ``shift`` and ``log_scale``.
        units: The units of the input.
    """

    def __init__(self, coupling: Coupling, numbers: Numbers, units: Tensor) -> None:
        super().__init__(coupling, units, torch.full_like(units.chunk(2)[1], UNIT))
        self.numbers = numbers

    def encode_half(self, x_b: Tensor, raw: Tensor, stack: BitStack) -> Tensor:
        """Shift, then scale."""
        shift, rescaling = _affine(*self.numbers(raw), self.units_b)
        return rescaling.encode(x_b + shift, stack)

    def decode_half(self, y_b: Tensor, raw: Tensor, stack: BitStack) -> Tensor:
        """Undo the scale, then the shift."""
        shift, rescaling = _affine(*self.numbers(raw), self.units_b)
        return rescaling.decode(y_b, stack) - shift


class Gaussianizing(Stage):
    """The top prior: ``eps = (z - mean) / exp(log_std)``.

    Args:
        prior: The prior, for inference.
        units: The units of the input.
    """

    def __init__(self, prior: TopPrior, units: Tensor) -> None:
        super().__init__(torch.full_like(units, UNIT))
        self.prior, self.units_in = prior, units

    def encode(self, x: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Subtract the mean, and divide by the standard deviation."""
        shift, rescaling = self._affine(x, labels)
        return rescaling.encode(x + shift, stack)

    def decode(self, y: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Undo both."""
        shift, rescaling = self._affine(y, labels)
        return rescaling.decode(y, stack) - shift

    def _affine(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Rescaling]:
        mean, log_std = self.prior.mean_and_log_std(x.double(), labels)
        return _affine(-mean.expand(x.shape), -log_std.expand(x.shape), self.units_in)


def _affine(shift: Tensor, log_scale: Tensor, units: Tensor) -> tuple[Tensor, Rescaling]:
    log2_scale = log_scale.double() / math.log(2) + (units / UNIT).log2()
    return to_integers(shift.double() / units), Rescaling(log2_scale)
