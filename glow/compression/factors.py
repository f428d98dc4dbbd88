"""A factorization of matrices whose triangular factors have no large entries."""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Factors(NamedTuple):
    """The factors of a matrix: ``W x = (L (d * (U x[columns])))[rows]``.

    Args:
        rows: The order of the output, int64 (C,).
        lower: L (C,C), unit lower triangular.
        diagonal: d (C,).
        upper: U (C,C), unit upper triangular.
        columns: The order of the input, int64 (C,).
    """

    rows: Tensor
    lower: Tensor
    diagonal: Tensor
    upper: Tensor
    columns: Tensor


def factors(matrix: Tensor) -> Factors:
    """Factor a matrix by Gaussian elimination with complete pivoting.

    The pivot is the largest of all remaining entries, so no entry of L and U is larger than 1. It
    uses no matrix products, whose rounding could depend on the number of threads.

    Args:
        matrix: W (C,C), float64.

    Returns:
        The factors.

    Raises:
        ValueError: If the matrix is singular or not finite.
    """
    rest, n = matrix.clone(), len(matrix)
    rows, columns = torch.arange(n), torch.arange(n)
    for i in range(n):
        row, column = divmod(int(rest[i:, i:].abs().argmax()), n - i)
        pivot = float(rest[i + row, i + column])
        if not math.isfinite(pivot) or pivot == 0:
            raise ValueError(
                f"a linear map of {n} channels is singular or not finite: its images cannot be "
                "told apart, and a model with it cannot compress"
            )
        _swap(rows, i, i + row)
        _swap(columns, i, i + column)
        _swap(rest, i, i + row)
        _swap(rest.T, i, i + column)
        rest[i + 1 :, i] /= pivot
        rest[i + 1 :, i + 1 :] -= rest[i + 1 :, i, None] * rest[i, i + 1 :]
    diagonal = rest.diagonal().clone()
    unit = torch.eye(n, dtype=rest.dtype)
    upper = rest.triu(1) / diagonal[:, None]
    return Factors(rows.argsort(), rest.tril(-1) + unit, diagonal, upper + unit, columns)


def _swap(entries: Tensor, i: int, j: int) -> None:
    entries[[i, j]] = entries[[j, i]]
