"""Fixed permutations of channels, which the invertible 1x1 convolution generalizes."""

import torch
from torch import Tensor

from glow.bijections.bijection import Bijection, zero_log_det
from glow.bijections.frozen import Freezable


class Permutation(Bijection, Freezable):
    """Reorder the channels: ``y[:, i] = x[:, indices[i]]``. ``log_det`` is 0.

    The order is a buffer, so it is part of the ``state_dict``.

    Args:
        indices: A permutation of 0, ..., C - 1, int64 (C,).

    Raises:
        ValueError: If ``indices`` is not a permutation.
    """

    indices: Tensor

    def __init__(self, indices: Tensor) -> None:
        super().__init__()
        if not indices.is_meta and sorted(indices.tolist()) != list(range(len(indices))):
            raise ValueError(f"indices must be a permutation of 0 to C - 1, got {indices.tolist()}")
        self.register_buffer("indices", indices)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Permute the channels of (B,C,...)."""
        return _select(x, self.indices), zero_log_det(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Restore the order of the channels."""
        return _select(y, self.indices.argsort())

    def frozen(self) -> "FixedPermutation":
        """Return the same map with the order of its inverse as a buffer, for inference."""
        return FixedPermutation(self.indices)


class FixedPermutation(Permutation):
    """A permutation that also holds the order of its inverse.

    Args:
        indices: A permutation of 0, ..., C - 1, int64 (C,).
    """

    inverse_indices: Tensor

    def __init__(self, indices: Tensor) -> None:
        super().__init__(indices.clone())
        self.register_buffer("inverse_indices", indices.argsort())

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Restore the order of the channels."""
        return _select(y, self.inverse_indices)


class ReversePermutation(Permutation):
    """Reverse the order of the channels, as RealNVP does; ``reverse_features`` of the reference."""

    def __init__(self, channels: int) -> None:
        super().__init__(torch.arange(channels).flip(0))


class SwapPermutation(Permutation):
    """Exchange the two halves of the channels, so that the next coupling transforms the other half.

    Args:
        channels: The number of channels, which must be even.

    Raises:
        ValueError: If ``channels`` is odd.
    """

    def __init__(self, channels: int) -> None:
        if channels % 2:
            raise ValueError(f"only an even number of channels has two halves, got {channels}")
        super().__init__(torch.arange(channels).roll(channels // 2))


class ShufflePermutation(Permutation):
    """Shuffle the channels in an order drawn once; ``shuffle_features`` of the reference."""

    def __init__(self, channels: int) -> None:
        super().__init__(torch.randperm(channels))


def _select(x: Tensor, indices: Tensor) -> Tensor:
    """Select channels of (B,C,...); the result has its channels last in memory."""
    return x.movedim(1, -1).index_select(-1, indices).movedim(-1, 1)
