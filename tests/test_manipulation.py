import math

import pytest
import torch

from glow import Glow, Latents
from glow.manipulation import Path, interpolate, linear, spherical


def two() -> tuple[Latents, Latents]:
    return tuple(Latents([torch.randn(3, 2, 4, 4), torch.randn(3, 8, 2, 2)]) for _ in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize("path", [linear, spherical])
def test_the_ends_are_the_very_latents(path: Path) -> None:
    start, end = two()
    frames = interpolate(start, end, 5, path)
    assert len(frames) == 5
    assert torch.equal(frames[0].flatten(), start.flatten())
    assert torch.equal(frames[-1].flatten(), end.flatten())


@pytest.mark.parametrize("path", [linear, spherical])
def test_swapping_the_ends_mirrors_the_way(path: Path) -> None:
    start, end = two()
    there, back = interpolate(start, end, 6, path), interpolate(end, start, 6, path)
    for a, b in zip(there, reversed(back), strict=True):
        torch.testing.assert_close(a.flatten(), b.flatten())


def test_the_line_is_straight() -> None:
    start, end = two()
    middle = interpolate(start, end, 3, linear)[1].flatten()
    torch.testing.assert_close(middle, (start.flatten() + end.flatten()) / 2)


def test_the_sphere_keeps_the_length_and_turns_evenly() -> None:
    start = Latents([torch.tensor([[3.0, 0.0]])])
    end = Latents([torch.tensor([[0.0, 3.0]])])
    for i, frame in enumerate(interpolate(start, end, 4, spherical)):
        x, y = frame.flatten()[0].tolist()
        assert math.hypot(x, y) == pytest.approx(3.0)
        assert math.degrees(math.atan2(y, x)) == pytest.approx(30 * i, abs=1e-4)


def test_parallel_latents_are_joined_by_the_line() -> None:
    start = Latents([torch.tensor([[1.0, 2.0], [1.0, 2.0]])])
    end = Latents([torch.tensor([[2.0, 4.0], [1.0, 2.0]])])
    middle = interpolate(start, end, 3, spherical)[1].flatten()
    torch.testing.assert_close(middle, torch.tensor([[1.5, 3.0], [1.0, 2.0]]))


def test_the_ends_decode_to_the_very_images(model: Glow, images: torch.Tensor) -> None:
    frames = interpolate(model.encode(images[:4]), model.encode(images[4:]), 3, spherical)
    assert torch.equal(model.decode(frames[0]), images[:4])
    assert torch.equal(model.decode(frames[-1]), images[4:])


def test_what_has_no_way_between_is_told() -> None:
    start, end = two()
    with pytest.raises(ValueError, match="at least its 2 ends, got n_frames=1"):
        interpolate(start, end, 1)
    with pytest.raises(ValueError, match="the shapes differ"):
        interpolate(start, end.map(lambda eps: eps[:2]), 3)
