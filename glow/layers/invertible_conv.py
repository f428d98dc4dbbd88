"""The invertible 1x1 convolution: a learned generalization of a channel permutation."""

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.layers.actnorm import ActNorm
from glow.layers.bijection import Bijection, full_precision, in_float64


class InvertibleConv(Bijection):
    r"""Multiply the channel vector of every pixel by one square matrix: ``y = W (x + bias)``.

    ``log_det = H * W * log|det W|``. Subclasses say how the matrix is parametrized, and may have a
    bias.

    Paper section 3.2.
    """

    _known: tuple[list[Tensor], Tensor] | None = None  # parameters, and the inverse matrix of them

    @abstractmethod
    def matrix(self) -> Tensor:
        """Return W (C,C)."""

    @abstractmethod
    def inverse_matrix(self) -> Tensor:
        """Return W^{-1} (C,C), computed in float64."""

    @abstractmethod
    def log_abs_det(self) -> Tensor:
        """Return log|det W|, a scalar."""

    def bias(self) -> Tensor | None:
        """Return the bias (C,), if there is one."""
        return None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mix the channels of (B,C,H,W)."""
        height, width = x.shape[-2:]
        with full_precision(x):
            matrix, bias = self.matrix(), self.bias()
            y = _mix(x, matrix, None if bias is None else matrix @ bias)
            return y, (height * width * self.log_abs_det()).expand(x.shape[0])

    def inverse(self, y: Tensor) -> Tensor:
        """Mix them back."""
        with full_precision(y):
            bias = self.bias()
            return _mix(y, self._inverse_matrix_once(), None if bias is None else -bias)

    def _inverse_matrix_once(self) -> Tensor:
        """Return the inverse matrix, computed when the parameters have changed and not before.

        In training they always have; there, and as part of a graph, it is computed every time. The
        parameters are compared by value, as not every change of them (``.data``) leaves a trace.
        """
        if self.training or torch.is_grad_enabled():
            return self.inverse_matrix()
        now = [*self.parameters(), *self.buffers()]
        if self._known is None or not all(map(_same, self._known[0], now)):
            self._known = [tensor.clone() for tensor in now], self.inverse_matrix()
        return self._known[1]


class PlainInvertibleConv(InvertibleConv):
    """The 1x1 convolution with the matrix itself as its parameter.

    The log-determinant is taken in float64 and of the absolute value, so that neither a negative
    determinant nor a small one breaks it; it costs O(C^3) a step. This is what the reference runs
    (``invertible_1x1_conv``, its first branch).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(random_rotation(channels))

    def matrix(self) -> Tensor:
        """Return the parameter."""
        return self.weight

    def inverse_matrix(self) -> Tensor:
        """Invert the matrix."""
        return torch.linalg.inv(in_float64(self.weight)).to(self.weight)

    def log_abs_det(self) -> Tensor:
        """Return log|det W| by LU decomposition in float64."""
        return torch.linalg.slogdet(in_float64(self.weight)).logabsdet.to(self.weight)


class LUInvertibleConv(InvertibleConv):
    r"""The 1x1 convolution as ``W = P L (U + diag(exp(log_s)))``, with ``log|det W| = sum(log_s)``.

    P is a fixed permutation, L is unit lower triangular and U strictly upper triangular, so W is
    invertible whatever values the parameter takes. The three learned parts share one matrix ``lu``
    as LAPACK packs them: L below the diagonal, U above it, log_s on it. The start is a random
    rotation, whose columns have the signs that make the diagonal of its factor U positive.

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

    def _factors(self) -> tuple[Tensor, Tensor]:
        identity = torch.eye(len(self.lu), dtype=self.lu.dtype, device=self.lu.device)
        lower = self.lu.tril(-1) + identity
        upper = self.lu.triu(1) + self.lu.diagonal().exp().diag()
        return lower, upper

    def matrix(self) -> Tensor:
        """Multiply the factors."""
        lower, upper = self._factors()
        return (lower @ upper)[self.rows]

    def inverse_matrix(self) -> Tensor:
        """Solve two triangular systems in float64."""
        lower, upper = map(in_float64, self._factors())
        identity = torch.eye(len(lower), dtype=lower.dtype, device=lower.device)
        permutation = identity[self.rows.to(lower.device)]
        half = torch.linalg.solve_triangular(lower, permutation.T, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper, half, upper=True).to(self.lu)

    def log_abs_det(self) -> Tensor:
        """Sum the logarithms of the diagonal."""
        return self.lu.diagonal().sum()


class NormalizedConv(InvertibleConv):
    """An ActNorm and the 1x1 convolution after it, as one: ``y = W diag(scale) (x + bias)``.

    Gradients reach the parameters of both through the one matrix.
    """

    def __init__(self, actnorm: ActNorm, permutation: InvertibleConv) -> None:
        super().__init__()
        self.actnorm = actnorm
        self.permutation = permutation

    def matrix(self) -> Tensor:
        """Scale the columns of W."""
        return self.permutation.matrix() * self.actnorm.scale().flatten()

    def inverse_matrix(self) -> Tensor:
        """Scale the rows of the inverse."""
        return self.permutation.inverse_matrix() / self.actnorm.scale().flatten(1)

    def log_abs_det(self) -> Tensor:
        """Add up those of both."""
        return self.permutation.log_abs_det() + self.actnorm.log_abs_det()

    def bias(self) -> Tensor:
        """Return the ActNorm's."""
        return self.actnorm.bias.flatten()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalize and mix the channels of (B,C,H,W)."""
        if self.actnorm.fitting:
            self.actnorm(x)
        return super().forward(x)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.device == b.device and a.dtype == b.dtype and torch.equal(a, b)


def _mix(x: Tensor, matrix: Tensor, offset: Tensor | None) -> Tensor:
    """Multiply the channel vectors of (B,C,H,W); the result has its channels last in memory."""
    return F.linear(x.permute(0, 2, 3, 1), matrix, offset).permute(0, 3, 1, 2)


def random_rotation(channels: int) -> Tensor:
    """Return a random orthogonal (C,C) matrix, the Q factor of a Gaussian one."""
    return torch.linalg.qr(torch.randn(channels, channels)).Q
