import pytest
import torch

from glow.bijections import OrthogonalLinear


@pytest.mark.parametrize("n_reflections", [1, 2, None])
def test_the_matrix_is_orthogonal(n_reflections: int | None) -> None:
    layer = OrthogonalLinear(4, n_reflections).double()
    matrix = layer.matrix()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(4, dtype=torch.float64))
    sign = (-1.0) ** (n_reflections or 4)
    torch.testing.assert_close(torch.linalg.det(matrix).item(), sign)


def test_it_is_one_reflection_after_the_other() -> None:
    layer = OrthogonalLinear(3, 2).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    expected = x
    for v in layer.vectors.flip(0):  # the last factor acts first
        expected = expected - 2 * (expected @ v)[:, None] * v / v.square().sum()
    torch.testing.assert_close(layer(x)[0], expected)


def test_no_reflection_raises() -> None:
    with pytest.raises(ValueError, match="n_reflections must be at least 1, got 0"):
        OrthogonalLinear(4, 0)
