import math

import pytest
import torch
from torch import Tensor

from glow import Glow, Latents
from glow.analysis.editing import move, move_images


def test_moving_is_adding(model: Glow, images: Tensor) -> None:
    latents = model.encode(images)
    direction = model.sample_latents(1)
    moved = move(latents, direction, -0.1)
    for eps, along, new in zip(latents, direction, moved, strict=True):
        torch.testing.assert_close(new, eps - 0.1 * along)
    shown = move_images(model, images, direction, [0.0, -0.1], batch_size=3)
    assert torch.equal(shown[:, 0], images)
    assert torch.equal(shown[:, 1], model.decode(moved))


def test_images_are_moved_given_their_classes(by_class: Glow, images: Tensor) -> None:
    labels = torch.arange(8) % 4
    direction = by_class.sample_latents(1)
    moved = move_images(by_class, images, direction, [0.0, 0.05], labels=labels, batch_size=3)
    assert torch.equal(moved[:, 0], images)
    latents = move(by_class.encode(images, labels), direction, 0.05)
    assert torch.equal(moved[:, 1], by_class.decode(latents, labels))


def test_wrong_directions_and_strengths_raise(model: Glow, images: Tensor) -> None:
    latents = Latents([torch.randn(3, 2, 4, 4), torch.randn(3, 8, 2, 2)])
    with pytest.raises(ValueError, match=r"cannot move .*: the shapes differ"):
        move(latents, Latents([torch.zeros(1, 2)]), 1.0)
    for strengths in ([0.0, math.nan], [], ["1"]):
        with pytest.raises(ValueError, match="strengths must be finite numbers, at least one, got"):
            move_images(model, images, model.sample_latents(1), strengths)  # type: ignore[arg-type]
