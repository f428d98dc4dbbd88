import torch

from glow import Glow, figures
from glow.attributes import estimate
from glow.manipulation import move_images
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
    assert columns == ["real", "-0.5", "0", "+0.25"]
    shown = images_of(figure, 4, 4)[:, :, :1]
    assert torch.equal(shown[:, 0], images[[0, 0, 1, 1]])
    assert torch.equal(shown[:, 2], images[[0, 0, 1, 1]])
    beard = move_images(model, images[:2], directions["Beard"], [0.25])
    assert torch.equal(shown[[1, 3], 3], beard[:, 0])
