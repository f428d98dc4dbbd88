import torch
from torch import Tensor

from glow.bijections import solve_increasing


def cube(x: Tensor) -> tuple[Tensor, Tensor]:
    return x**3 + x, 3 * x**2 + 1


def test_the_error_is_within_the_stated_tolerance() -> None:
    for dtype, halvings in ((torch.float32, 31), (torch.float64, 60)):
        x = torch.linspace(-2, 2, 101, dtype=dtype)
        calls = []

        def counted(at: Tensor) -> tuple[Tensor, Tensor]:
            calls.append(at)  # noqa: B023
            return cube(at)

        bound = torch.tensor(3.0, dtype=dtype)
        root = solve_increasing(counted, cube(x)[0], -bound, bound)
        assert len(calls) == halvings + 1
        # The width of the bracket, and 2 roundings of a function of size 10 and slope at least 1.
        assert (root - x).abs().max() <= 6 * 2.0**-halvings + 20 * torch.finfo(dtype).eps


def test_gradients_are_those_of_the_implicit_function() -> None:
    x = torch.randn(4, dtype=torch.float64)
    scale = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    target = (scale * cube(x)[0]).detach().requires_grad_()
    bound = torch.tensor(9.0, dtype=torch.float64)
    root = solve_increasing(
        lambda at: (scale * cube(at)[0], scale * cube(at)[1]), target, -bound, bound
    )
    of_target, of_scale = torch.autograd.grad(root.sum(), (target, scale))
    value, slope = cube(x)
    torch.testing.assert_close(of_target, 1 / (1.5 * slope))
    torch.testing.assert_close(of_scale, (-value / (1.5 * slope)).sum())
