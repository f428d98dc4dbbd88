"""Rotations of the channels, as products of Householder reflections."""

import torch
from torch import Tensor, nn

from glow.bijections.bijection import Bijection, zero_log_det
from glow.bijections.precision import full_precision


class OrthogonalLinear(Bijection):
    r"""Multiply the channels at every position by one orthogonal matrix: ``y = Q x``.

    ::

        Q = H_1 H_2 ... H_K        H_k = I - 2 v_k v_k^T / |v_k|^2

    ``log_det`` is 0, and the inverse multiplies by the transpose, so both directions are fast. C
    reflections reach every orthogonal matrix with determinant (-1)^C. Q starts at random. Tomczak
    and Welling 2016, section 3.

    Args:
        channels: The number of channels, or of features, C.
        n_reflections: K; C if None.

    Raises:
        ValueError: If ``n_reflections`` is less than 1.
    """

    def __init__(self, channels: int, n_reflections: int | None = None) -> None:
        super().__init__()
        n_reflections = channels if n_reflections is None else n_reflections
        if n_reflections < 1:
            raise ValueError(f"n_reflections must be at least 1, got {n_reflections}")
        self.vectors = nn.Parameter(torch.randn(n_reflections, channels))

    def matrix(self) -> Tensor:
        """Return Q (C,C)."""
        units = self.vectors / torch.linalg.vector_norm(self.vectors, dim=1, keepdim=True)
        matrix = torch.eye(units.shape[1], dtype=units.dtype, device=units.device)
        for v in units:
            matrix = matrix - 2 * torch.outer(matrix @ v, v)
        return matrix

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Rotate the channels of (B,C,...)."""
        with full_precision(x):
            return torch.einsum("oc,bc...->bo...", self.matrix(), x), zero_log_det(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Rotate back."""
        with full_precision(y):
            return torch.einsum("oc,bo...->bc...", self.matrix(), y)
