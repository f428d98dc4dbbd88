import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from glow import Glow, Latents
from glow.manipulation import (
    Path,
    interpolate,
    interpolate_corners,
    interpolate_images,
    keep_levels,
    linear,
    move,
    move_images,
    norm_preserving,
    resample,
    spherical,
)
from tests.bijections import affine, perturb

PATHS = [linear, spherical, norm_preserving]


def two() -> tuple[Latents, Latents]:
    return tuple(Latents([torch.randn(3, 2, 4, 4), torch.randn(3, 8, 2, 2)]) for _ in range(2))  # type: ignore[return-value]


@pytest.fixture(params=[3, 5, 8])
def lossy(request: pytest.FixtureRequest, images: Tensor) -> Glow:
    """A model that keeps fewer bits than its images have, or all of them."""
    model = Glow((1, 8, 8), n_bits=request.param, n_levels=2, n_steps=2, coupling=affine)
    model.initialize(images)
    return perturb(model, 0.05)


@pytest.mark.parametrize("path", PATHS)
def test_the_ends_are_the_very_latents(path: Path) -> None:
    start, end = two()
    frames = interpolate(start, end, 5, path)
    assert len(frames) == 5
    assert torch.equal(frames[0].flatten(), start.flatten())
    assert torch.equal(frames[-1].flatten(), end.flatten())


@pytest.mark.parametrize("n_frames", [2, 3, 6, 7, 50])
@pytest.mark.parametrize("path", PATHS)
def test_swapping_the_ends_mirrors_the_way(path: Path, n_frames: int) -> None:
    start, end = two()
    there, back = interpolate(start, end, n_frames, path), interpolate(end, start, n_frames, path)
    for a, b in zip(there, reversed(back), strict=True):
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
def test_the_line_of_kept_norm_has_its_direction_and_the_mean_length(
    seed: int, factor: float
) -> None:
    start, end = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(seed)).double()
    end = factor * end
    t = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None, None]
    way, line = norm_preserving(start, end, t), linear(start, end, t)
    torch.testing.assert_close(
        torch.cosine_similarity(way, line, dim=-1), torch.ones(5, 4).double()
    )
    wanted = (1 - t[..., 0]) * start.norm(dim=1) + t[..., 0] * end.norm(dim=1)
    torch.testing.assert_close(way.norm(dim=-1), wanted)


@pytest.mark.parametrize("path", PATHS)
def test_opposite_latents_have_a_finite_way(path: Path) -> None:
    start = Latents([torch.tensor([[1.0, 2.0]])])
    for frame in interpolate(start, start.map(torch.neg), 5, path):
        assert frame.flatten().norm() <= 1.01 * start.flatten().norm()


@pytest.mark.parametrize("path", PATHS)
def test_a_way_to_itself_stays_there(path: Path) -> None:
    here = Latents([torch.tensor([[1.0, 0.0]])])
    for frame in interpolate(here, here, 4, path):
        torch.testing.assert_close(frame.flatten(), here.flatten())


def test_parallel_latents_are_joined_by_the_line() -> None:
    start = Latents([torch.tensor([[1.0, 2.0], [1.0, 2.0]])])
    end = Latents([torch.tensor([[2.0, 4.0], [1.0, 2.0]])])
    middle = interpolate(start, end, 3, spherical)[1].flatten()
    torch.testing.assert_close(middle, torch.tensor([[1.5, 3.0], [1.0, 2.0]]))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.filterwarnings("error")  # nothing is lost that the model was to keep
def test_the_ends_are_the_very_images(lossy: Glow, images: Tensor, path: Path) -> None:
    start, end = images[:4], images[4:]
    way = interpolate_images(lossy, start, end, 5, path, batch_size=3)
    assert way.shape == (4, 5, 1, 8, 8)
    assert torch.equal(way[:, 0], start)
    assert torch.equal(way[:, -1], end)
    assert torch.equal(way[:, 1:-1], lossy.dequantize.kept(way[:, 1:-1]))
    back = interpolate_images(lossy, end, start, 5, path, batch_size=3)
    assert torch.equal(back.flip(1), way)


def test_the_way_is_that_of_the_latents(model: Glow, images: Tensor) -> None:
    frames = interpolate(model.encode(images[:4]), model.encode(images[4:]), 3, spherical)
    way = interpolate_images(model, images[:4], images[4:], 3, spherical)
    assert torch.equal(way[:, 1], model.decode(frames[1]))


@pytest.mark.parametrize("path", PATHS)
def test_a_square_has_the_very_images_in_its_corners(
    lossy: Glow, images: Tensor, path: Path
) -> None:
    square = interpolate_corners(lossy, images[:4], 5, path)
    assert square.shape == (5, 5, 1, 8, 8)
    assert torch.equal(square[[0, 0, -1, -1], [0, -1, 0, -1]], images[:4])
    top = interpolate_images(lossy, images[:1], images[1:2], 5, path)
    assert torch.equal(square[0], top[0])
    left = interpolate_images(lossy, images[:1], images[2:3], 5, path)
    assert torch.equal(square[:, 0], left[0])


@pytest.mark.parametrize(("n_frames", "classes"), [(4, "3311"), (5, "33111"), (2, "31")])
def test_frames_are_of_the_class_of_the_nearer_end(
    by_class: Glow, images: Tensor, n_frames: int, classes: str
) -> None:
    """And of the lower class half way, so that the way back is the same."""
    three, one = torch.tensor([3]), torch.tensor([1])
    start, end = images[:1], images[1:2]
    way = interpolate_images(by_class, start, end, n_frames, start_labels=three, end_labels=one)
    back = interpolate_images(by_class, end, start, n_frames, start_labels=one, end_labels=three)
    assert torch.equal(back.flip(1), way)
    of_ends = by_class.encode(start, three), by_class.encode(end, one)
    latents = interpolate(*of_ends, n_frames)
    for i, label in list(enumerate(classes))[1:-1]:
        own = by_class.decode(latents[i], torch.tensor([int(label)]))
        other = by_class.decode(latents[i], torch.tensor([4 - int(label)]))
        assert torch.equal(way[:, i], own)
        assert not torch.equal(own, other)


@pytest.mark.parametrize(("n_frames", "classes"), [(4, "0011 0011 2233 2233"), (3, "001 001 223")])
def test_a_square_is_of_the_classes_of_its_corners(
    by_class: Glow, images: Tensor, n_frames: int, classes: str
) -> None:
    labels = torch.arange(4)
    square = interpolate_corners(by_class, images[:4], n_frames, labels=labels)
    top_left, top_right, bottom_left, bottom_right = by_class.encode(images[:4], labels).flatten()
    t = torch.linspace(0, 1, n_frames)
    for row, of_row in enumerate(classes.split()):
        for column, label in enumerate(of_row):
            if row in (0, n_frames - 1) and column in (0, n_frames - 1):
                continue
            left = linear(top_left, bottom_left, t[row])
            vector = linear(left, linear(top_right, bottom_right, t[row]), t[column])
            latents = Latents.unflatten(vector[None], by_class.flow.latent_shapes)
            [expected] = by_class.decode(latents, torch.tensor([int(label)]))
            different = square[row, column] != expected
            assert different.float().mean() < 0.05  # which rounding can make


def test_images_of_classes_are_moved_as_such(by_class: Glow, images: Tensor) -> None:
    labels = torch.arange(8) % 4
    direction = by_class.sample_latents(1)
    moved = move_images(by_class, images, direction, [0.0, 0.05], labels=labels, batch_size=3)
    assert torch.equal(moved[:, 0], images)
    latents = move(by_class.encode(images, labels), direction, 0.05)
    assert torch.equal(moved[:, 1], by_class.decode(latents, labels))


def test_a_model_that_loses_its_ends_is_told_of(model: Glow, images: Tensor) -> None:
    for parameter in model.parameters():
        parameter.data *= 30.0
    with pytest.warns(UserWarning, match=r"gives back the ends with \d+\.\d+% of the pixel values"):
        way = interpolate_images(model, images[:2], images[2:4], 3)
    assert torch.equal(way[:, 0], images[:2])


def test_levels_that_are_drawn_anew_leave_the_others(model: Glow, images: Tensor) -> None:
    latents = model.encode(images)
    generator = torch.Generator().manual_seed(0)
    changed = resample(model, latents, [1], 0.5, generator)
    assert torch.equal(changed[1], latents[1])
    assert not torch.isclose(changed[0], latents[0]).any()
    assert changed[0].std() == pytest.approx(0.5, rel=0.2)
    again = resample(model, latents, [1], 0.5, torch.Generator().manual_seed(0))
    assert torch.equal(again[0], changed[0])
    both = resample(model, latents, [1, 2])
    assert not torch.isclose(both[1], latents[1]).any()


def test_levels_that_are_kept_leave_0_in_the_others(model: Glow, images: Tensor) -> None:
    latents = model.encode(images)
    coarse = keep_levels(latents, [2])
    assert torch.equal(coarse[1], latents[1])
    assert not coarse[0].any()
    assert torch.equal(model.decode(keep_levels(latents, [1, 2])), images)


def test_moving_is_adding(model: Glow, images: Tensor) -> None:
    latents = model.encode(images)
    direction = model.sample_latents(1)
    moved = move(latents, direction, -0.1)
    for eps, along, new in zip(latents, direction, moved, strict=True):
        torch.testing.assert_close(new, eps - 0.1 * along)
    shown = move_images(model, images, direction, [0.0, -0.1], batch_size=3)
    assert torch.equal(shown[:, 0], images)
    assert torch.equal(shown[:, 1], model.decode(moved))


def test_what_has_no_way_between_is_told(model: Glow, images: Tensor) -> None:
    start, end = two()
    with pytest.raises(ValueError, match="at least its 2 ends, got n_frames=1"):
        interpolate(start, end, 1)
    with pytest.raises(ValueError, match="the shapes differ"):
        interpolate(start, end.map(lambda eps: eps[:2]), 3)
    with pytest.raises(ValueError, match="a square has 4 corners, got 3 images"):
        interpolate_corners(model, images[:3], 3)
    with pytest.raises(ValueError, match="there is no level 3: the 2 levels are numbered from 1"):
        keep_levels(start, [1, 3])
    with pytest.raises(ValueError, match="there is no level 0"):
        resample(model, model.encode(images), [0])
    with pytest.raises(ValueError, match=r"cannot move .*: the shapes differ"):
        move(start, Latents([torch.zeros(1, 2)]), 1.0)
    for strengths in ([0.0, math.nan], [], ["1"]):
        with pytest.raises(ValueError, match="strengths must be finite numbers, at least one, got"):
            move_images(model, images, model.sample_latents(1), strengths)  # type: ignore[arg-type]
