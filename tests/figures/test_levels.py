import torch

from glow import Glow, figures
from glow.analysis.levels import keep_levels, resample
from tests.figures.reading import images_of, labels_of


def test_each_level_is_drawn_again_beside_the_real_image(model: Glow, images: torch.Tensor) -> None:
    figure = figures.resamplings(model, images[:2], n_draws=2, image_names=["a", "b"])
    title, rows, columns = labels_of(figure)
    assert "temperature 0.7" in title
    assert rows == ["a", "b"]
    assert columns == ["given", *["level 1\nfinest"] * 2, *["level 2\ncoarsest"] * 2]
    shown = images_of(figure, 2, 5)[:, :, :1]
    assert torch.equal(shown[:, 0], images[:2])
    assert not torch.equal(shown[:, 1], shown[:, 2])


def test_the_columns_agree_with_their_labels(by_class: Glow, images: torch.Tensor) -> None:
    labels = torch.arange(8) % 4
    figure = figures.resamplings(by_class, images, labels, 1, [0.3, 0.5], seed=3)
    assert "0.3 (level 1), 0.5 (level 2)" in labels_of(figure)[0]
    latents = by_class.encode(images, labels)
    generator = torch.Generator().manual_seed(3)
    shown = images_of(figure, 8, 3)[:, :, :1]
    for level in (1, 2):
        drawn = resample(by_class, latents, [level], [0.3, 0.5], generator)
        assert torch.equal(shown[:, level], by_class.decode(drawn, labels))
    shown = images_of(figures.reconstructions(by_class, images, labels), 8, 4)[:, :, :1]
    assert torch.equal(shown[:, 1], images)
    assert torch.equal(shown[:, 2], by_class.decode(keep_levels(latents, [2]), labels))


def test_levels_are_dropped_from_the_finest_on(model: Glow, images: torch.Tensor) -> None:
    figure = figures.reconstructions(model, images[:3])
    assert labels_of(figure)[2] == ["given", "levels 1-2", "level 2", "none"]
    shown = images_of(figure, 3, 4)[:, :, :1]
    assert torch.equal(shown[:, 0], images[:3])
    assert torch.equal(shown[:, 1], images[:3])
    assert not torch.equal(shown[:, 2], images[:3])
    assert torch.equal(shown[:, 3], model.sample(3, 0.0))
