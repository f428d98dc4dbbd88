"""Invertible linear maps of the channels: on images, the paper's invertible 1x1 convolution."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections.bijection import Bijection
from glow.bijections.folding import Foldable, Folded, Setting
from glow.bijections.frozen import Freezable
from glow.bijections.precision import full_precision, in_float64


class LinearMaps(NamedTuple):
    """K maps ``y = W (x + bias)`` of C channels.

    Args:
        matrix: The matrices W (K,C,C).
        log_abs_det: What one position adds to ``log_det``, log|det W|, (K,).
        bias: The biases (K,C), or None.
    """

    matrix: Tensor
    log_abs_det: Tensor
    bias: Tensor | None = None


class InvertibleLinear(Bijection, Foldable, Freezable):
    r"""Multiply the channels at every position by one square matrix: ``y = W (x + bias)``.

    ``log_det = H * W * log|det W|``. On images (B,C,H,W) this is the invertible 1x1 convolution; on
    vectors (B,D) it is a linear layer. Subclasses choose the parameters of the matrix, and may add
    a bias.

    Paper section 3.2.
    """

    @classmethod
    @abstractmethod
    def stack(cls, layers: Sequence[Self]) -> LinearMaps:
        """Return the matrices, log-determinants and biases of K layers of one kind."""

    def matrix(self) -> Tensor:
        """Return W (C,C)."""
        return self.stack([self]).matrix[0]

    def inverse_matrix(self) -> Tensor:
        """Return the inverse of W (C,C), computed in float64."""
        return _inverse(self.matrix())

    @classmethod
    def fold(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Compute W, ``log_det`` and ``W bias`` of K layers."""
        matrix, log_abs_det, bias = cls.stack(layers)
        stacks = [matrix, math.prod(setting.size) * log_abs_det]
        if bias is not None:
            stacks.append((matrix @ bias[:, :, None]).squeeze(2))
        shares = zip(*(stack.unbind() for stack in stacks), strict=True)
        return [Folded(setting, tensors) for tensors in shares]

    @classmethod
    def fold_inverse(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Compute the inverse of W, and minus the bias, of K layers."""
        matrix, _, bias = cls.stack(layers)
        stacks = [_inverse(matrix)] if bias is None else [_inverse(matrix), -bias]
        shares = zip(*(stack.unbind() for stack in stacks), strict=True)
        return [Folded(setting, tensors) for tensors in shares]

    def forward(
        self, x: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mix the channels of (B,C,...)."""
        matrix, log_det, *offset = self.folded_for(x, folded).tensors
        with full_precision(x):
            return _mix(x, matrix, *offset), log_det.expand(x.shape[0])

    def inverse(
        self, y: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> Tensor:
        """Multiply by the inverse matrix, then subtract the bias."""
        with full_precision(y):
            return _mix(y, *self.folded_for(y, folded, inverse=True).tensors)

    @torch.no_grad()
    def frozen(self) -> "FixedLinear":
        """Return the same map with its matrix and the inverse as buffers, for inference."""
        matrix, log_abs_det, bias = self.stack([self])
        return FixedLinear(matrix[0], log_abs_det[0], None if bias is None else bias[0])


class PlainLinear(InvertibleLinear):
    """The linear map whose parameter is the matrix itself.

    It starts as a random rotation, or close to the identity. The log-determinant is that of the
    absolute value, computed in float64: neither a negative nor a tiny determinant breaks it. It
    costs O(C^3) per step. The reference runs this variant (the first branch of
    ``invertible_1x1_conv``).

    Args:
        channels: The number of channels, C.
        deviation: None for a random rotation; otherwise the matrix starts as the identity plus
            normal noise of this standard deviation, 0.001 in Flow++.
    """

    def __init__(self, channels: int, deviation: float | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            random_rotation(channels)
            if deviation is None
            else torch.eye(channels) + deviation * torch.randn(channels, channels)
        )

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> LinearMaps:
        """Return the parameters, and log|det W| by LU decomposition in float64."""
        matrix = torch.stack([layer.weight for layer in layers])
        return LinearMaps(matrix, torch.linalg.slogdet(in_float64(matrix)).logabsdet.to(matrix))


class LULinear(InvertibleLinear):
    r"""The linear map ``W = P L (U + diag(exp(log_s)))``, with ``log|det W| = sum(log_s)``.

    P is a fixed permutation, L is unit lower triangular and U is strictly upper triangular, so W is
    invertible for every value of the parameter. The three learned parts share one matrix ``lu``,
    packed as in LAPACK: L below the diagonal, U above it, log_s on it. W starts as a random
    rotation, up to the signs of its columns, which make the diagonal positive.

    Paper section 3.2, equation 10.
    """

    rows: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        permutation, lower, upper = torch.linalg.lu(random_rotation(channels).double())
        upper = upper * upper.diagonal().sign()
        log_s = upper.diagonal().log().diag()
        packed = lower.tril(-1) + upper.triu(1) + log_s
        self.lu = nn.Parameter(packed.to(torch.get_default_dtype()))
        # Row i of W is row rows[i] of L (U + diag(s)).
        self.register_buffer("rows", permutation.argmax(dim=1))

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> LinearMaps:
        """Multiply the factors, and sum the logarithms on the diagonals."""
        lu = torch.stack([layer.lu for layer in layers])
        rows = torch.stack([layer.rows for layer in layers])
        log_s = lu.diagonal(dim1=1, dim2=2)
        lower = lu.tril(-1) + torch.eye(lu.shape[1], dtype=lu.dtype, device=lu.device)
        upper = lu.triu(1) + log_s.exp().diag_embed()
        matrix = torch.take_along_dim(lower @ upper, rows[:, :, None], dim=1)
        return LinearMaps(matrix, log_s.sum(1))


class FixedLinear(InvertibleLinear):
    """A linear map without parameters: both matrices are buffers, so no inverse is computed again.

    Args:
        matrix: W (C,C).
        log_abs_det: log|det W|, a scalar.
        bias: The bias (C,), or None.
    """

    weight: Tensor
    inverse_weight: Tensor
    log_abs_det: Tensor
    bias: Tensor | None

    def __init__(self, matrix: Tensor, log_abs_det: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", matrix.detach().clone())
        self.register_buffer("inverse_weight", _inverse(matrix.detach()))
        self.register_buffer("log_abs_det", log_abs_det.detach().clone())
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    @classmethod
    def stack(cls, layers: Sequence[Self]) -> LinearMaps:
        """Return the buffers."""
        biases = [layer.bias for layer in layers if layer.bias is not None]
        return LinearMaps(
            torch.stack([layer.weight for layer in layers]),
            torch.stack([layer.log_abs_det for layer in layers]),
            torch.stack(biases) if biases else None,
        )

    @classmethod
    def fold_inverse(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Return the buffers."""
        return [
            Folded(setting, (layer.inverse_weight,))
            if layer.bias is None
            else Folded(setting, (layer.inverse_weight, -layer.bias))
            for layer in layers
        ]


def _mix(x: Tensor, matrix: Tensor, offset: Tensor | None = None) -> Tensor:
    """Multiply the channels of (B,C,...); the result has its channels last in memory."""
    return F.linear(x.movedim(1, -1), matrix, offset).movedim(-1, 1)


def _inverse(matrix: Tensor) -> Tensor:
    """Invert matrices (...,C,C) in float64, without waiting for a GPU to say whether it can."""
    return torch.linalg.inv_ex(in_float64(matrix)).inverse.to(matrix)


def random_rotation(channels: int) -> Tensor:
    """Return a random orthogonal matrix (C,C), the Q factor of a Gaussian one."""
    return torch.linalg.qr(torch.randn(channels, channels)).Q.contiguous()
