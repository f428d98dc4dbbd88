import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from glow.nets.convolution import convolve, gather, scatter


@given(
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    sides=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.sampled_from([1, 3, 5]),
    is_map=st.booleans(),
)
def test_it_agrees_with_the_library(
    *, channels: tuple[int, int], sides: tuple[int, int], size: int, is_map: bool
) -> None:
    """In its value and in its derivatives."""
    narrow, wide = channels
    x = torch.randn(2, *sides, narrow, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(wide, narrow, size, size, dtype=torch.float64, requires_grad=True)
    shape = (*sides, wide) if is_map else (wide,)
    offset = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    ours = convolve(x, weight, offset)
    theirs = F.conv2d(x.permute(0, 3, 1, 2), weight, padding=size // 2)
    theirs = theirs.permute(0, 2, 3, 1) + offset
    torch.testing.assert_close(ours, theirs)
    leaves = (x, weight, offset)
    probe = torch.randn_like(ours)
    for our, their in zip(
        torch.autograd.grad(ours, leaves, probe),
        torch.autograd.grad(theirs, leaves, probe),
        strict=True,
    ):
        torch.testing.assert_close(our, their)


@pytest.mark.parametrize("channels", [(2, 3), (3, 2)])
def test_it_can_be_differentiated_twice(channels: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 4, channels[0], dtype=torch.float64, requires_grad=True)
    weight = torch.randn(channels[1], channels[0], 3, 3, dtype=torch.float64, requires_grad=True)
    offset = torch.randn(channels[1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(convolve, (x, weight, offset))


def test_scatter_is_the_adjoint_of_gather() -> None:
    x, patches = torch.randn(2, 4, 5, 3), torch.randn(2, 4, 5, 27)
    torch.testing.assert_close((gather(x, 3) * patches).sum(), (x * scatter(patches, 3)).sum())


def test_scattered_patches_are_added_up_in_float32() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        towards_fewer = convolve(torch.randn(1, 3, 3, 4), torch.randn(2, 4, 3, 3), torch.zeros(2))
        towards_more = convolve(torch.randn(1, 3, 3, 2), torch.randn(4, 2, 3, 3), torch.zeros(4))
    assert towards_fewer.dtype == torch.float32
    assert scatter(torch.ones(1, 3, 3, 18, dtype=torch.bfloat16), 3).dtype == torch.float32
    assert towards_more.dtype == torch.bfloat16
