"""Fixed channel permutations: what the invertible 1x1 convolution generalizes."""

import torch
from torch import Tensor

from glow.layers.bijection import Bijection, zero_log_det


class Permutation(Bijection):
    """Reorder channels: ``y[:, i] = x[:, indices[i]]``.

    The order is a buffer, so it travels with the ``state_dict``. ``log_det`` is 0.
    """

    indices: Tensor

    def __init__(self, indices: Tensor) -> None:
        super().__init__()
        self.register_buffer("indices", indices)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Permute the channels of (B,C,H,W)."""
        return x[:, self.indices], zero_log_det(x)

    def inverse(self, y: Tensor) -> Tensor:
        """Put the channels back in order."""
        return y[:, self.indices.argsort()]


class ReversePermutation(Permutation):
    """Reverse the order of the channels, as RealNVP does; ``reverse_features`` of the reference."""

    def __init__(self, channels: int) -> None:
        super().__init__(torch.arange(channels).flip(0))


class ShufflePermutation(Permutation):
    """Shuffle the channels, in an order drawn once; ``shuffle_features`` of the reference."""

    def __init__(self, channels: int) -> None:
        super().__init__(torch.randperm(channels))
