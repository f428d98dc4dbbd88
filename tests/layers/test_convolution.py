import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from glow.layers.convolution import convolve, gather, scatter


@given(
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    sides=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    size=st.sampled_from([1, 3, 5]),
    offset=st.sampled_from(["none", "per channel", "map"]),
)
def test_it_is_the_convolution_of_the_library(
    channels: tuple[int, int], sides: tuple[int, int], size: int, offset: str
) -> None:
    """In its value and in its derivatives."""
    narrow, wide = channels
    x = torch.randn(2, narrow, *sides, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(wide, narrow, size, size, dtype=torch.float64, requires_grad=True)
    shapes = {"per channel": (wide, 1, 1), "map": (wide, *sides)}
    shift = (
        None
        if offset == "none"
        else torch.randn(shapes[offset], dtype=torch.float64, requires_grad=True)
    )
    ours = convolve(x, weight, shift)
    theirs = F.conv2d(x, weight, padding=size // 2) + (0 if shift is None else shift)
    torch.testing.assert_close(ours, theirs)
    assert ours.shape == theirs.shape
    leaves = [leaf for leaf in (x, weight, shift) if leaf is not None]
    probe = torch.randn_like(ours)
    for our, their in zip(
        torch.autograd.grad(ours, leaves, probe),
        torch.autograd.grad(theirs, leaves, probe),
        strict=True,
    ):
        torch.testing.assert_close(our, their)


@pytest.mark.parametrize("channels", [(2, 3), (3, 2)])
def test_it_can_be_differentiated_twice(channels: tuple[int, int]) -> None:
    x = torch.randn(2, channels[0], 3, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(channels[1], channels[0], 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(convolve, (x, weight))


def test_scatter_is_the_adjoint_of_gather() -> None:
    x, patches = torch.randn(2, 4, 5, 3), torch.randn(2, 4, 5, 27)
    torch.testing.assert_close((gather(x, 3) * patches).sum(), (x * scatter(patches, 3)).sum())


def test_what_is_scattered_is_added_up_in_float32() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        towards_fewer = convolve(torch.randn(1, 4, 3, 3), torch.randn(2, 4, 3, 3))
        towards_more = convolve(torch.randn(1, 2, 3, 3), torch.randn(4, 2, 3, 3))
    assert towards_fewer.dtype == torch.float32
    assert towards_more.dtype == torch.bfloat16


def test_channels_lie_last_in_memory() -> None:
    for channels in ((2, 4), (4, 2)):
        y = convolve(torch.randn(1, channels[0], 3, 5), torch.randn(channels[1], channels[0], 3, 3))
        assert y.stride(1) == 1
