"""The bits of pixels that a model does not see, given those that it sees."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glow.compression.bit_stack import BitStack

N_VALUES = 256  # of a pixel


class LowBits:
    """A code for the lower bits of each pixel, by how often they occur with its upper bits.

    Args:
        counts: How often each pixel value occurs, uint32 (256,).
        n_bits: The number of upper bits.
    """

    def __init__(self, counts: NDArray[np.uint32], n_bits: int) -> None:
        self.counts = counts
        self.size = 2 ** (8 - n_bits)
        # Values that do not occur get a frequency, because a code needs one.
        self.frequencies = counts.astype(np.float64).reshape(-1, self.size) + 1e-9

    @classmethod
    def of(cls, images: Tensor, n_bits: int) -> "LowBits":
        """Return the code for images, uint8 (N,C,H,W)."""
        counts = np.bincount(images.numpy().reshape(-1), minlength=N_VALUES)
        return cls(counts.astype(np.uint32), n_bits)

    def push(self, images: Tensor, stack: BitStack) -> None:
        """Push the lower bits of images, uint8 (B,C,H,W)."""
        values = images.numpy().reshape(-1)
        for upper, of_upper in self._places(values):
            low = torch.from_numpy(values[of_upper] % self.size)
            stack.push_frequencies(low, self.frequencies[upper])

    def pop(self, images: Tensor, stack: BitStack) -> Tensor:
        """Pop the lower bits; the inverse of ``push``.

        Args:
            images: The images with only their upper bits, uint8 (B,C,H,W).
            stack: The stack.

        Returns:
            The whole images.
        """
        values = images.numpy().reshape(-1).copy()
        for upper, of_upper in reversed(self._places(values)):
            low = stack.pop_frequencies(len(of_upper), self.frequencies[upper])
            values[of_upper] += low.numpy().astype(np.uint8)
        return torch.from_numpy(values).view(images.shape)

    def _places(self, values: NDArray[np.uint8]) -> list[tuple[int, NDArray[np.intp]]]:
        """Return where each upper part occurs, in the order of the upper parts."""
        uppers = values // self.size
        order = np.argsort(uppers, kind="stable")
        found, starts = np.unique(uppers[order], return_index=True)
        places = np.split(order, starts[1:])
        return list(zip(found.tolist(), places, strict=True))
