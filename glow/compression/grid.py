"""Exact arithmetic of integers that stand for real numbers on a grid.

An integer tensor x and the unit of its grid stand for ``x * unit``. Every map here is one to one on
integers. Where a map of real numbers stretches or shrinks, a map of integers cannot: it takes the
missing bits from a ``BitStack``, or leaves there those that are too many. On average that is as
many bits as ``log_det`` says, so nothing is lost but rounding to the grid.
"""

import torch
from torch import Tensor

from glow.compression.bit_stack import BitStack

SCALE_BITS = 12  # of the significant bits of a scale
LOG2_SCALES = (-(22 - SCALE_BITS), SCALE_BITS - 2)  # sizes on the stack stay below 2^24
FRACTION = 2.0**16  # the denominator of the coefficients of a shear
EXACT = 2.0**53  # up to here, float64 adds and multiplies integers exactly, in any order


class UncodableError(ValueError):
    """Some images of a batch leave the range of the grid, or are not finite.

    Args:
        images: Which ones, bool (B,).
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__(f"{int(images.sum())} of {len(images)} images leave the range of the grid")
        self.images = images


def check(valid: Tensor) -> None:
    """Raise ``UncodableError`` for the images of ``valid``, bool (B,...), that are not all true."""
    if not valid.all():
        raise UncodableError(~valid.flatten(1).all(1))


def to_integers(values: Tensor) -> Tensor:
    """Round float64 values (B,...) to int64.

    Raises:
        UncodableError: If values are too large, or not finite.
    """
    check(values.abs() < 2.0**40)
    return values.round().long()


class Rescaling:
    """Multiply integers by positive scales, ``y = x * p / 2^k``, and account for the remainders.

    With r from the stack, uniform in [0, p), the number ``x * p + r`` has a quotient y and a
    remainder by 2^k, which goes to the stack. So ``k - log2(p)`` bits are added on balance. A scale
    has the 12 most significant bits of what is asked for, and lies in [2^-10, 2^10].

    Args:
        log2_scale: The logarithms of the scales, float64 (B,...).
    """

    def __init__(self, log2_scale: Tensor) -> None:
        check(log2_scale.isfinite())
        log2_scale = log2_scale.clamp(*map(float, LOG2_SCALES))
        self.k = SCALE_BITS - 1 - log2_scale.floor().long()
        self.p = (log2_scale + self.k).exp2().round().long()
        self.q = torch.ones_like(self.k) << self.k
        self.offset = (self.q - self.p) >> 1  # so that rounding is not biased

    def encode(self, x: Tensor, stack: BitStack) -> Tensor:
        """Multiply x, int64 (B,...)."""
        check(x.abs() < 2**40)
        parts = []
        for x_part, p, q, offset in self._parts(x):
            spread = x_part * p + stack.pop_uniform(tuple(p.shape), p) + offset
            stack.push_uniform(spread & (q - 1), q)
            parts.append(spread)
        return torch.cat(parts).view(x.shape) >> self.k

    def decode(self, y: Tensor, stack: BitStack) -> Tensor:
        """Divide y; the inverse of ``encode``."""
        parts = []
        for shifted, p, q, offset in reversed(self._parts(y << self.k)):
            spread = shifted + stack.pop_uniform(tuple(q.shape), q) - offset
            x = spread.div(p, rounding_mode="floor")
            stack.push_uniform(spread - x * p, p)
            parts.append(x)
        return torch.cat(parts[::-1]).view(y.shape)

    def _parts(self, x: Tensor) -> list[tuple[Tensor, ...]]:
        """Return x, p, q and the offset in quarters, so that few bits are taken at a time."""
        flat = (t.reshape(-1).chunk(4) for t in (x, self.p, self.q, self.offset))
        return list(zip(*flat, strict=True))


class Shifting:
    """Multiply channels by powers of two, ``y = x * 2^shift``: bits move from and to the stack.

    Args:
        shifts: The exponents (C,), int64, from -23 to 23.
    """

    def __init__(self, shifts: Tensor) -> None:
        self.finer, self.coarser = (
            (which, (sign * shifts[which])[:, None])
            for sign, which in (
                (1, (shifts > 0).nonzero()[:, 0]),
                (-1, (shifts < 0).nonzero()[:, 0]),
            )
        )

    def encode(self, x: Tensor, stack: BitStack) -> Tensor:
        """Multiply x, int64 (C,n)."""
        return _coarsen(_refine(x, *self.finer, stack), *self.coarser, stack)

    def decode(self, y: Tensor, stack: BitStack) -> Tensor:
        """Divide y; the inverse of ``encode``."""
        return _coarsen(_refine(y, *self.coarser, stack), *self.finer, stack)


def _refine(x: Tensor, channels: Tensor, k: Tensor, stack: BitStack) -> Tensor:
    """Append k bits from the stack to every number of some channels."""
    if not len(channels):
        return x
    size = (torch.ones_like(k) << k).expand(-1, x.shape[1])
    bits = stack.pop_uniform(tuple(size.shape), size)
    return x.index_copy(0, channels, (x[channels] << k) + bits - (size >> 1))


def _coarsen(x: Tensor, channels: Tensor, k: Tensor, stack: BitStack) -> Tensor:
    """Move the last k bits of some channels to the stack, rounding to the nearest."""
    if not len(channels):
        return x
    size = (torch.ones_like(k) << k).expand(-1, x.shape[1])
    moved = x[channels] + (size >> 1)
    stack.push_uniform(moved & (size - 1), size)
    return x.index_copy(0, channels, moved >> k)


class Shear:
    """Add to every channel a rounded sum of the channels after it: ``y = x + round(A x)``.

    The sum is the same in both directions, to the last bit and on every machine: coefficients are
    multiples of 2^-16, and float64 adds integers exactly.

    Args:
        coefficients: A (C,C), float64, strictly upper triangular.
    """

    def __init__(self, coefficients: Tensor) -> None:
        self.coefficients = (coefficients * FRACTION).round()
        largest = self.coefficients.abs().sum(1).max().clamp(min=1.0)
        self.bound = float(EXACT / 4 / largest)

    def encode(self, x: Tensor) -> Tensor:
        """Shear x, int64 (C,n), whose absolute values must be below ``bound``."""
        return x + _rounded(self.coefficients @ x.double()).long()

    def decode(self, y: Tensor) -> Tensor:
        """Undo the shear, the last channel first."""
        x = y.double()
        for c in reversed(range(len(x) - 1)):
            x[c] -= _rounded(self.coefficients[c, c + 1 :] @ x[c + 1 :])
        return x.long()


def _rounded(sums: Tensor) -> Tensor:
    return ((sums + FRACTION / 2) / FRACTION).floor()
