import torch

from glow import Glow, figures
from glow.manipulation import spherical
from tests.figures.reading import images_of, labels_of


def test_it_begins_and_ends_with_the_real_images(model: Glow, images: torch.Tensor) -> None:
    figure = figures.interpolation(model, images[:2], images[2:4], n_frames=5)
    _, rows, columns = labels_of(figure)
    assert rows == ["linear", "spherical", "norm-preserving"] * 2
    assert columns == ["real", "0.25", "0.5", "0.75", "real"]
    shown = images_of(figure, 6, 5)[:, :, :1]
    for row in range(6):
        assert torch.equal(shown[row, 0], images[row // 3])
        assert torch.equal(shown[row, -1], images[2 + row // 3])


def test_the_paths_that_are_taken_can_be_chosen(model: Glow, images: torch.Tensor) -> None:
    way = {"round": spherical}
    figure = figures.interpolation(model, images[:1], images[1:2], n_frames=3, paths=way)
    assert labels_of(figure)[1] == ["round"]


def test_corners_are_in_their_corners(model: Glow, images: torch.Tensor) -> None:
    figure = figures.corners(model, images[:4], n_frames=3)
    _, rows, columns = labels_of(figure)
    assert rows == columns == ["0", "0.5", "1"]
    shown = images_of(figure, 3, 3)[:, :, :1]
    at = [shown[0, 0], shown[0, 2], shown[2, 0], shown[2, 2]]
    assert torch.equal(torch.stack(at), images[:4])
