import torch

from glow import Glow, figures
from glow.analysis.attributes import estimate
from glow.analysis.editing import move_images
from tests.figures.reading import images_of, labels_of


def test_every_image_moves_along_every_attribute(model: Glow, images: torch.Tensor) -> None:
    labels = torch.tensor([[0, 1], [1, 0], [1, 1], [0, 0]] * 2)
    directions = estimate(model, [(images, labels)], ["Hat", "Beard"])
    figure = figures.attributes(
        model,
        images[:2],
        directions,
        ["Hat", "Beard"],
        (-0.5, 0.0, 0.25),
        image_names=["me", "you"],
    )
    title, rows, columns = labels_of(figure)
    assert title == "Moved along Hat, Beard\n(mean difference)"
    assert rows == ["me, Hat", "me, Beard", "you, Hat", "you, Beard"]
    assert columns == ["given", "-0.5", "0", "+0.25"]
    shown = images_of(figure, 4, 4)[:, :, :1]
    assert torch.equal(shown[:, 0], images[[0, 0, 1, 1]])
    assert torch.equal(shown[:, 2], images[[0, 0, 1, 1]])
    beard = move_images(model, images[:2], directions["Beard"], [0.25])
    assert torch.equal(shown[[1, 3], 3], beard[:, 0])


def test_images_move_given_their_classes(by_class: Glow, images: torch.Tensor) -> None:
    labels = torch.arange(8) % 4
    directions = estimate(by_class, [(images, labels)], ["a", "b", "c", "d"])
    figure = figures.attributes(by_class, images, directions, ["c"], (0.0, 0.1), labels)
    moved = move_images(by_class, images, directions["c"], [0.0, 0.1], labels=labels)
    assert torch.equal(images_of(figure, 8, 3)[:, 1:, :1], moved)
