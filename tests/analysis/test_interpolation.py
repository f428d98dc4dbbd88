import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from glow import Glow, Latents
from glow.analysis.interpolation import (
    Interpolant,
    interpolate,
    interpolate_corners,
    interpolate_images,
    linear,
    norm_preserving,
    spherical,
)
from tests.small_models import affine, perturb

INTERPOLANTS = [linear, spherical, norm_preserving]


def two() -> tuple[Latents, Latents]:
    return tuple(Latents([torch.randn(3, 2, 4, 4), torch.randn(3, 8, 2, 2)]) for _ in range(2))  # type: ignore[return-value]


@pytest.fixture(params=[3, 5, 8])
def lossy(request: pytest.FixtureRequest, images: Tensor) -> Glow:
    """A model of some of the bits of its images, or of all of them."""
    model = Glow((1, 8, 8), n_bits=request.param, n_levels=2, n_steps=2, coupling=affine)
    model.initialize(images)
    return perturb(model, 0.05)


@pytest.mark.parametrize("interpolant", INTERPOLANTS)
def test_the_ends_are_the_given_latents(interpolant: Interpolant) -> None:
    start, end = two()
    frames = interpolate(start, end, 5, interpolant)
    assert len(frames) == 5
    assert torch.equal(frames[0].flatten(), start.flatten())
    assert torch.equal(frames[-1].flatten(), end.flatten())


@pytest.mark.parametrize("n_frames", [2, 3, 6, 7, 50])
@pytest.mark.parametrize("interpolant", INTERPOLANTS)
def test_swapping_the_ends_reverses_the_frames(interpolant: Interpolant, n_frames: int) -> None:
    start, end = two()
    forth, back = (
        interpolate(start, end, n_frames, interpolant),
        interpolate(end, start, n_frames, interpolant),
    )
    for a, b in zip(forth, reversed(back), strict=True):
        assert torch.equal(a.flatten(), b.flatten())


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


@given(st.integers(0, 1000), st.floats(0.1, 5.0))
def test_the_norm_preserving_line_has_its_direction_and_the_mean_length(
    seed: int, factor: float
) -> None:
    start, end = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(seed)).double()
    end = factor * end
    t = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None, None]
    points, line = norm_preserving(start, end, t), linear(start, end, t)
    torch.testing.assert_close(
        torch.cosine_similarity(points, line, dim=-1), torch.ones(5, 4).double()
    )
    wanted = (1 - t[..., 0]) * start.norm(dim=1) + t[..., 0] * end.norm(dim=1)
    torch.testing.assert_close(points.norm(dim=-1), wanted)


@pytest.mark.parametrize("interpolant", INTERPOLANTS)
def test_opposite_latents_have_finite_frames_between_them(interpolant: Interpolant) -> None:
    start = Latents([torch.tensor([[1.0, 2.0]])])
    for frame in interpolate(start, start.map(torch.neg), 5, interpolant):
        assert frame.flatten().norm() <= 1.01 * start.flatten().norm()


@pytest.mark.parametrize("interpolant", INTERPOLANTS)
def test_equal_ends_have_equal_frames(interpolant: Interpolant) -> None:
    here = Latents([torch.tensor([[1.0, 0.0]])])
    for frame in interpolate(here, here, 4, interpolant):
        torch.testing.assert_close(frame.flatten(), here.flatten())


def test_parallel_latents_are_joined_by_the_line() -> None:
    start = Latents([torch.tensor([[1.0, 2.0], [1.0, 2.0]])])
    end = Latents([torch.tensor([[2.0, 4.0], [1.0, 2.0]])])
    middle = interpolate(start, end, 3, spherical)[1].flatten()
    torch.testing.assert_close(middle, torch.tensor([[1.5, 3.0], [1.0, 2.0]]))


@pytest.mark.parametrize("interpolant", INTERPOLANTS)
@pytest.mark.filterwarnings("error")  # the model loses nothing that it sees
def test_the_ends_are_the_given_images(
    lossy: Glow, images: Tensor, interpolant: Interpolant
) -> None:
    start, end = images[:4], images[4:]
    way = interpolate_images(lossy, start, end, 5, interpolant, batch_size=3)
    assert way.shape == (4, 5, 1, 8, 8)
    assert torch.equal(way[:, 0], start)
    assert torch.equal(way[:, -1], end)
    assert torch.equal(way[:, 1:-1], lossy.dequantizer.quantize(way[:, 1:-1]))
    back = interpolate_images(lossy, end, start, 5, interpolant, batch_size=3)
    assert torch.equal(back.flip(1), way)


def test_the_frames_are_those_of_the_latents(model: Glow, images: Tensor) -> None:
    frames = interpolate(model.encode(images[:4]), model.encode(images[4:]), 3, spherical)
    way = interpolate_images(model, images[:4], images[4:], 3, spherical)
    assert torch.equal(way[:, 1], model.decode(frames[1]))


@pytest.mark.parametrize("interpolant", INTERPOLANTS)
def test_a_square_has_the_given_images_in_its_corners(
    lossy: Glow, images: Tensor, interpolant: Interpolant
) -> None:
    square = interpolate_corners(lossy, images[:4], 5, interpolant)
    assert square.shape == (5, 5, 1, 8, 8)
    assert torch.equal(square[[0, 0, -1, -1], [0, -1, 0, -1]], images[:4])
    top = interpolate_images(lossy, images[:1], images[1:2], 5, interpolant)
    assert torch.equal(square[0], top[0])
    left = interpolate_images(lossy, images[:1], images[2:3], 5, interpolant)
    assert torch.equal(square[:, 0], left[0])


@pytest.mark.parametrize(("n_frames", "classes"), [(4, "3311"), (5, "33111"), (2, "31")])
def test_frames_have_the_class_of_the_nearer_end(
    by_class: Glow, images: Tensor, n_frames: int, classes: str
) -> None:
    """The middle frame has the lower class, so that swapping the ends reverses the frames."""
    three, one = torch.tensor([3]), torch.tensor([1])
    start, end = images[:1], images[1:2]
    way = interpolate_images(by_class, start, end, n_frames, start_labels=three, end_labels=one)
    back = interpolate_images(by_class, end, start, n_frames, start_labels=one, end_labels=three)
    assert torch.equal(back.flip(1), way)
    ends = by_class.encode(start, three), by_class.encode(end, one)
    latents = interpolate(*ends, n_frames)
    for i, label in list(enumerate(classes))[1:-1]:
        own = by_class.decode(latents[i], torch.tensor([int(label)]))
        other = by_class.decode(latents[i], torch.tensor([4 - int(label)]))
        assert torch.equal(way[:, i], own)
        assert not torch.equal(own, other)


@pytest.mark.parametrize(("n_frames", "classes"), [(4, "0011 0011 2233 2233"), (3, "001 001 223")])
def test_a_square_has_the_classes_of_its_corners(
    by_class: Glow, images: Tensor, n_frames: int, classes: str
) -> None:
    labels = torch.arange(4)
    square = interpolate_corners(by_class, images[:4], n_frames, labels=labels)
    top_left, top_right, bottom_left, bottom_right = by_class.encode(images[:4], labels).flatten()
    t = torch.linspace(0, 1, n_frames)
    for row, in_row in enumerate(classes.split()):
        for column, label in enumerate(in_row):
            if row in (0, n_frames - 1) and column in (0, n_frames - 1):
                continue
            left = linear(top_left, bottom_left, t[row])
            vector = linear(left, linear(top_right, bottom_right, t[row]), t[column])
            latents = Latents.unflatten(vector[None], by_class.latent_shapes)
            [expected] = by_class.decode(latents, torch.tensor([int(label)]))
            different = square[row, column] != expected
            assert different.float().mean() < 0.05  # which rounding can make


def test_a_model_that_loses_its_ends_warns(model: Glow, images: Tensor) -> None:
    for parameter in model.parameters():
        parameter.data *= 30.0
    with pytest.warns(UserWarning, match=r"reproduces the ends with \d+\.\d+% of the pixel values"):
        way = interpolate_images(model, images[:2], images[2:4], 3)
    assert torch.equal(way[:, 0], images[:2])


def test_latents_that_do_not_fit_together_raise(model: Glow, images: Tensor) -> None:
    start, end = two()
    with pytest.raises(ValueError, match="at least its 2 ends, got n_frames=1"):
        interpolate(start, end, 1)
    with pytest.raises(ValueError, match="the shapes differ"):
        interpolate(start, end.map(lambda eps: eps[:2]), 3)
    with pytest.raises(ValueError, match="a square has 4 corners, got 3 images"):
        interpolate_corners(model, images[:3], 3)
