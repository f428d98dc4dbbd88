"""Invertible linear maps of the channels: on images, the paper's invertible 1x1 convolution."""

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glow.bijections.bijection import Bijection, log_det_per_position
from glow.bijections.frozen import Freezable
from glow.bijections.precision import full_precision, in_float64


class InvertibleLinear(Bijection, Freezable):
    r"""Multiply the channels at every position by one square matrix: ``y = W (x + bias)``.

    ``log_det = H * W * log|det W|``. On images (B,C,H,W) this is the invertible 1x1 convolution; on
    vectors (B,D) it is a linear layer. Subclasses choose the parameters of the matrix, and may add
    a bias.

    Paper section 3.2.
    """

    @abstractmethod
    def matrix(self) -> Tensor:
        """Return W (C,C)."""

    @abstractmethod
    def inverse_matrix(self) -> Tensor:
        """Return the inverse of W (C,C), computed in float64."""

    @abstractmethod
    def log_abs_det(self) -> Tensor:
        """Return log|det W|, a scalar."""

    def bias(self) -> Tensor | None:
        """Return the bias (C,), or None."""
        return None

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mix the channels of (B,C,...)."""
        with full_precision(x):
            matrix, bias = self.matrix(), self.bias()
            y = _mix(x, matrix, None if bias is None else matrix @ bias)
            return y, log_det_per_position(self.log_abs_det(), x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Multiply by the inverse matrix, then subtract the bias."""
        with full_precision(y):
            bias = self.bias()
            return _mix(y, self.inverse_matrix(), None if bias is None else -bias)

    @torch.no_grad()
    def frozen(self) -> "FixedLinear":
        """Return the same map with both matrices as buffers, for inference."""
        return FixedLinear(self.matrix(), self.inverse_matrix(), self.log_abs_det(), self.bias())


class PlainLinear(InvertibleLinear):
    """The linear map whose parameter is the matrix itself, initialized as a random rotation.

    The log-determinant is that of the absolute value, computed in float64: neither a negative nor a
    tiny determinant breaks it. It costs O(C^3) per step. The reference runs this variant (the first
    branch of ``invertible_1x1_conv``).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(random_rotation(channels))

    def matrix(self) -> Tensor:
        """Return the parameter."""
        return self.weight

    def inverse_matrix(self) -> Tensor:
        """Invert the parameter."""
        return torch.linalg.inv(in_float64(self.weight)).to(self.weight)

    def log_abs_det(self) -> Tensor:
        """Return log|det W|, by LU decomposition in float64."""
        return torch.linalg.slogdet(in_float64(self.weight)).logabsdet.to(self.weight)


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

    def factors(self) -> tuple[Tensor, Tensor]:
        """Return L and ``U + diag(exp(log_s))``, both (C,C)."""
        identity = torch.eye(len(self.lu), dtype=self.lu.dtype, device=self.lu.device)
        lower = self.lu.tril(-1) + identity
        upper = self.lu.triu(1) + self.lu.diagonal().exp().diag()
        return lower, upper

    def matrix(self) -> Tensor:
        """Multiply the factors."""
        lower, upper = self.factors()
        return (lower @ upper)[self.rows]

    def inverse_matrix(self) -> Tensor:
        """Solve two triangular systems in float64."""
        lower, upper = map(in_float64, self.factors())
        identity = torch.eye(len(lower), dtype=lower.dtype, device=lower.device)
        permutation = identity[self.rows.to(lower.device)]
        half = torch.linalg.solve_triangular(lower, permutation.T, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper, half, upper=True).to(self.lu)

    def log_abs_det(self) -> Tensor:
        """Sum the logarithms on the diagonal."""
        return self.lu.diagonal().sum()


class FixedLinear(InvertibleLinear):
    """A linear map without parameters: both matrices are buffers, so nothing is computed again.

    Args:
        matrix: W (C,C).
        inverse_matrix: The inverse of W (C,C).
        log_abs_det: log|det W|, a scalar.
        bias: The bias (C,), or None.
    """

    weight: Tensor
    inverse_weight: Tensor
    weight_log_det: Tensor
    offset: Tensor | None

    def __init__(
        self, matrix: Tensor, inverse_matrix: Tensor, log_abs_det: Tensor, bias: Tensor | None
    ) -> None:
        super().__init__()
        self.register_buffer("weight", matrix.detach().clone())
        self.register_buffer("inverse_weight", inverse_matrix.detach().clone())
        self.register_buffer("weight_log_det", log_abs_det.detach().clone())
        self.register_buffer("offset", None if bias is None else bias.detach().clone())

    def matrix(self) -> Tensor:
        """Return the buffer."""
        return self.weight

    def inverse_matrix(self) -> Tensor:
        """Return the buffer."""
        return self.inverse_weight

    def log_abs_det(self) -> Tensor:
        """Return the buffer."""
        return self.weight_log_det

    def bias(self) -> Tensor | None:
        """Return the buffer, or None."""
        return self.offset


def _mix(x: Tensor, matrix: Tensor, offset: Tensor | None) -> Tensor:
    """Multiply the channels of (B,C,...); the result has its channels last in memory."""
    return F.linear(x.movedim(1, -1), matrix, offset).movedim(-1, 1)


def random_rotation(channels: int) -> Tensor:
    """Return a random orthogonal matrix (C,C), the Q factor of a Gaussian one."""
    return torch.linalg.qr(torch.randn(channels, channels)).Q
