"""Stages: each kind of bijection as an exact map of integers on a grid; see ``grid.py``."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from glow.bijections import Bijection
from glow.compression.bit_stack import BitStack
from glow.compression.factors import factors
from glow.compression.grid import Shear, Shifting, check

UNIT = 2.0**-10  # of the grid after a rescaling, where numbers are about 1
WINDOW = (UNIT / 8, UNIT * math.sqrt(2))  # units outside of it are brought back to UNIT
LARGEST = 2.0**40


class Stage(ABC):
    """One bijection on integers.

    Args:
        units: The units of its output, float64, of the shape of an example.
    """

    def __init__(self, units: Tensor) -> None:
        self.units = units

    @abstractmethod
    def encode(self, x: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Map data to latents.

        Args:
            x: int64 (B,...).
            labels: Class labels (B,), or None.
            stack: Where bits come from and go to.

        Returns:
            int64 (B,...).

        Raises:
            UncodableError: If images leave the range of the grid.
        """

    @abstractmethod
    def decode(self, y: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Map latents back to data; the inverse of ``encode``, also of what it did to the stack."""


class Reordering(Stage):
    """A bijection that only moves numbers.

    Args:
        bijection: The bijection.
        units: The units of its input.
    """

    def __init__(self, bijection: Bijection, units: Tensor) -> None:
        super().__init__(bijection(units[None])[0][0])
        self.bijection = bijection

    def encode(self, x: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Move the integers."""
        y: Tensor = self.bijection(x)[0]
        return y

    def decode(self, y: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Move them back."""
        return self.bijection.inverse(y)


class Mixing(Stage):
    r"""An invertible linear map of the channels and a shift: ``y = W x + b``.

    With ``W = P L D U Q``, Q and P being permutations, L and U unit triangular and D diagonal, U
    and L are shears. The absolute value of D changes only the units, and takes no bits until one
    leaves ``WINDOW``.

    Args:
        matrix: W (C,C).
        shift: b (C,).
        units: The units of the input, which differ between channels only.
    """

    def __init__(self, matrix: Tensor, shift: Tensor, units: Tensor) -> None:
        rows, lower, diagonal, upper, self.columns = factors(matrix.double() * _unit(units))
        shifts, unit = _settled(diagonal.abs())
        self.upper, self.shifting = Shear(upper.triu(1)), Shifting(shifts)
        # A lower triangular shear is an upper one of the channels in reverse.
        self.lower = Shear((lower * unit / unit[:, None]).flip(0, 1).triu(1))
        self.signs = diagonal.sign().long()[:, None]
        self.rows, unit = rows, unit[rows]
        self.shift = (shift.double() / unit).round().long()[:, None]
        super().__init__(unit.view(-1, *[1] * (units.ndim - 1)).expand_as(units).clone())

    def encode(self, x: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Permute, shear, scale, shear, permute, shift."""
        check(x.abs() < self.upper.bound)
        y = self.upper.encode(_rows(x)[self.columns])
        y = self.shifting.encode(y * self.signs, stack)
        check(_images(y, x).abs() < self.lower.bound)
        y = self.lower.encode(y.flip(0)).flip(0)
        return _images(y[self.rows] + self.shift, x)

    def decode(self, y: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Undo all of it, last to first."""
        x = (_rows(y) - self.shift)[self.rows.argsort()]
        x = self.lower.decode(x.flip(0)).flip(0)
        x = self.upper.decode(self.shifting.decode(x, stack) * self.signs)
        return _images(x[self.columns.argsort()], y)


class Scaling(Stage):
    """One scale and one shift for each channel: ``y = scale * x + shift``, all scales positive.

    Args:
        scale: The scales (C,).
        shift: The shifts (C,).
        units: The units of the input.
    """

    def __init__(self, scale: Tensor, shift: Tensor, units: Tensor) -> None:
        shifts, unit = _settled(scale.double() * _unit(units))
        self.shifting = Shifting(shifts)
        self.shift = (shift.double() / unit).round().long()[:, None]
        super().__init__(unit.view(-1, *[1] * (units.ndim - 1)).expand_as(units).clone())

    def encode(self, x: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Scale, then shift."""
        check(x.abs() < LARGEST)
        return _images(self.shifting.encode(_rows(x), stack) + self.shift, x)

    def decode(self, y: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Undo the shift, then the scale."""
        return _images(self.shifting.decode(_rows(y) - self.shift, stack), y)


class Reshaping(Stage):
    """Another shape of each example.

    Args:
        shape: The shape of the output.
        units: The units of the input.
    """

    def __init__(self, shape: Sequence[int], units: Tensor) -> None:
        super().__init__(units.reshape(*shape))
        self.shape_in = units.shape

    def encode(self, x: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Reshape the examples."""
        return x.reshape(len(x), *self.units.shape)

    def decode(self, y: Tensor, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Restore their shape."""
        return y.reshape(len(y), *self.shape_in)


def _settled(units: Tensor) -> tuple[Tensor, Tensor]:
    """Return by which powers of two to multiply so that units are in the window, and the units."""
    outside = (units < WINDOW[0]) | (units > WINDOW[1])
    shifts = torch.where(outside, (units / UNIT).log2().round(), 0.0).clamp(-23, 23)
    return shifts.long(), units / shifts.exp2()


def _unit(units: Tensor) -> Tensor:
    """Return the unit of every channel, (C,)."""
    unit = units.reshape(len(units), -1)
    assert (unit == unit[:, :1]).all()
    return unit[:, 0]


def _rows(x: Tensor) -> Tensor:
    """Reshape (B,C,...) to (C,n)."""
    return x.movedim(1, 0).reshape(x.shape[1], -1)


def _images(rows: Tensor, like: Tensor) -> Tensor:
    """Reshape (C,n) back to the shape of ``like``, (B,C,...)."""
    return rows.view(like.movedim(1, 0).shape).movedim(0, 1)
