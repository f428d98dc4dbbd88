"""A stack of bits from which uniform and Gaussian numbers are popped, and onto which they go."""

import functools
from typing import Any, Self

import constriction
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

WORD = 4  # bytes
STATE = 64  # bits that the coder works on, when no words are left


class BitStack:
    """A last-in-first-out entropy coder (rANS) of integers, in the order of tensors.

    Pushing numbers adds ``-log2 P(numbers)`` bits, and popping takes as many away and returns what
    was pushed last. Popping what was never pushed turns the bits below into random numbers; pushing
    these numbers again restores the bits. That is bits-back coding. An empty stack acts as if it
    held zeros without end. The coder is that of ``constriction``, with probabilities of 24 bits.

    Args:
        content: What ``words`` of another stack returned, or any words uint32 (n,), if ``sealed``.
        sealed: Whether ``content`` can be any words: initial bits that ``unsealed`` returns.
    """

    def __init__(self, content: NDArray[np.uint32] | None = None, *, sealed: bool = False) -> None:
        coder = constriction.stream.stack.AnsCoder
        self._coder: Any = coder() if content is None else coder(content, seal=sealed)
        self.fewest_bits = self.n_bits  # that were left after any popping

    def copy(self) -> Self:
        """Return an independent stack with the same content."""
        copied = type(self)()
        copied._coder = self._coder.clone()
        copied.fewest_bits = self.n_bits
        return copied

    @property
    def n_bits(self) -> int:
        """The number of bits on the stack, rounded up to words."""
        return int(self._coder.num_bits())

    @property
    def ran_dry(self) -> bool:
        """Whether popping emptied the stack, so that zeros were taken for random bits."""
        return self.fewest_bits <= STATE

    def words(self) -> NDArray[np.uint32]:
        """Return the content, uint32 (n,)."""
        found: NDArray[np.uint32] = self._coder.get_compressed()
        return found

    def unsealed(self) -> NDArray[np.uint32]:
        """Return the sealed initial bits, after everything that was pushed has been popped.

        Raises:
            ValueError: If something else is on the stack.
        """
        found: NDArray[np.uint32] = self._coder.get_compressed(unseal=True)
        return found

    def push_uniform(self, values: Tensor, sizes: Tensor | int) -> None:
        """Push integers that are uniform in [0, size).

        Args:
            values: int64, of any shape.
            sizes: One size, or int64 sizes of the same shape, each from 2 to 2^24 - 1.
        """
        if isinstance(sizes, int):
            self._coder.encode_reverse(_symbols(values), _uniform(sizes))
        else:
            self._coder.encode_reverse(_symbols(values), _uniform(None), _symbols(sizes))

    def pop_uniform(self, shape: tuple[int, ...], sizes: Tensor | int) -> Tensor:
        """Pop integers that are uniform in [0, size); the inverse of ``push_uniform``.

        Args:
            shape: The shape of the result.
            sizes: One size, or sizes that were given to ``push_uniform``.

        Returns:
            int64, of that shape.
        """
        if isinstance(sizes, int):
            found = self._coder.decode(_uniform(sizes), int(np.prod(shape)))
        else:
            found = self._coder.decode(_uniform(None), _symbols(sizes))
        self.fewest_bits = min(self.fewest_bits, self.n_bits)
        return torch.from_numpy(found).long().view(shape)

    def push_normal(self, values: Tensor, bound: int, std: float) -> None:
        """Push integers that are the floor of normal numbers with mean 0.

        Args:
            values: int64 of any shape, from -bound to bound - 1.
            bound: The bound.
            std: The standard deviation.
        """
        self._coder.encode_reverse(_symbols(values), _normal(bound, std))

    def pop_normal(self, shape: tuple[int, ...], bound: int, std: float) -> Tensor:
        """Pop integers; the inverse of ``push_normal``."""
        found = self._coder.decode(_normal(bound, std), int(np.prod(shape)))
        return torch.from_numpy(found).long().view(shape)

    def push_frequencies(self, values: Tensor, frequencies: NDArray[np.float64]) -> None:
        """Push integers with given frequencies.

        Args:
            values: Integers of any shape, from 0 to n - 1.
            frequencies: How often each occurs, (n,), n at least 2, all above 0.
        """
        self._coder.encode_reverse(_symbols(values), _categorical(frequencies))

    def pop_frequencies(self, n: int, frequencies: NDArray[np.float64]) -> Tensor:
        """Pop n integers; the inverse of ``push_frequencies``."""
        found = self._coder.decode(_categorical(frequencies), n)
        return torch.from_numpy(found).long()


def _symbols(values: Tensor) -> NDArray[np.int32]:
    return values.reshape(-1).int().contiguous().numpy()


@functools.lru_cache(maxsize=64)
def _uniform(size: int | None) -> Any:
    uniform = constriction.stream.model.Uniform
    return uniform() if size is None else uniform(size)


@functools.lru_cache(maxsize=8)
def _normal(bound: int, std: float) -> Any:
    # The bin of an integer i is centered on it, and the floor of a number needs [i, i + 1).
    return constriction.stream.model.QuantizedGaussian(-bound, bound - 1, -0.5, std)


def _categorical(frequencies: NDArray[np.float64]) -> Any:
    probabilities = frequencies / frequencies.sum()
    return constriction.stream.model.Categorical(probabilities, perfect=False)
