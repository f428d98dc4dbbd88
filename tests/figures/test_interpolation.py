import torch

from glow import Glow, figures
from glow.analysis.interpolation import (
    interpolate_corners,
    interpolate_images,
    linear,
    norm_preserving,
    spherical,
)
from tests.figures.reading import images_of, labels_of


def test_it_begins_and_ends_with_the_real_images(model: Glow, images: torch.Tensor) -> None:
    figure = figures.interpolation(model, images[:2], images[2:4], n_frames=5)
    _, rows, columns = labels_of(figure)
    assert rows == ["linear", "spherical", "norm-preserving"] * 2
    assert columns == ["given", "0.25", "0.5", "0.75", "given"]
    shown = images_of(figure, 6, 5)[:, :, :1]
    for row in range(6):
        assert torch.equal(shown[row, 0], images[row // 3])
        assert torch.equal(shown[row, -1], images[2 + row // 3])


def test_the_interpolants_can_be_chosen(model: Glow, images: torch.Tensor) -> None:
    interpolants = {"round": spherical}
    figure = figures.interpolation(
        model, images[:1], images[1:2], n_frames=3, interpolants=interpolants
    )
    assert labels_of(figure)[1] == ["round"]


def test_the_labels_are_those_of_their_ends(by_class: Glow, images: torch.Tensor) -> None:
    start, end, start_labels, end_labels = (
        images[:2],
        images[2:4],
        torch.tensor([0, 1]),
        torch.tensor([2, 3]),
    )
    figure = figures.interpolation(
        by_class, start, end, start_labels, end_labels, n_frames=4, names=["a", "b"]
    )
    assert labels_of(figure)[1][:2] == ["a\nlinear", "a\nspherical"]
    shown = images_of(figure, 6, 4)[:, :, :1]
    for row, interpolant in enumerate((linear, spherical, norm_preserving)):
        expected = interpolate_images(
            by_class, start, end, 4, interpolant, start_labels=start_labels, end_labels=end_labels
        )
        assert torch.equal(shown[[row, row + 3]], expected)


def test_moving_frames_are_those_of_the_interpolation(model: Glow, images: torch.Tensor) -> None:
    interpolants = {"spherical": spherical, "norm-preserving": norm_preserving}
    found = {
        name: interpolate_images(model, images[:3], images[3:6], 4, interpolant)
        for name, interpolant in interpolants.items()
    }
    frames = figures.moving_interpolation(found, ["a", "b", "c"])
    assert len(frames) == 4
    for i, frame in enumerate(frames):
        _, rows, columns = labels_of(frame)
        assert (rows, columns) == (["a", "b", "c"], ["spherical", "norm-\npreserving"])
        shown = images_of(frame, 3, 2)[:, :, :1]
        for column, one in enumerate(found.values()):
            assert torch.equal(shown[:, column], one[:, i])


def test_corners_use_the_interpolant_and_the_labels(by_class: Glow, images: torch.Tensor) -> None:
    labels = torch.arange(4)
    names = ["a", "b", "c", "d"]
    figure = figures.corners(by_class, images[:4], labels, 3, spherical, names)
    assert labels_of(figure)[0].endswith("\na, b; c, d")
    expected = interpolate_corners(by_class, images[:4], 3, spherical, labels=labels)
    assert torch.equal(images_of(figure, 3, 3)[:, :, :1], expected)


def test_corners_are_in_their_corners(model: Glow, images: torch.Tensor) -> None:
    figure = figures.corners(model, images[:4], n_frames=3)
    _, rows, columns = labels_of(figure)
    assert rows == columns == ["0", "0.5", "1"]
    shown = images_of(figure, 3, 3)[:, :, :1]
    at = [shown[0, 0], shown[0, 2], shown[2, 0], shown[2, 2]]
    assert torch.equal(torch.stack(at), images[:4])
