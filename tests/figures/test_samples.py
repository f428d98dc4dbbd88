from functools import partial

import torch
from torch import Tensor

from glow import Glow, figures
from glow.models import ClassConditionalPrior
from tests.figures.reading import images_of, labels_of
from tests.small_models import affine, perturb


def by_class(n_classes: int) -> Glow:
    """A model that decodes latents differently for each class."""
    top = partial(ClassConditionalPrior, n_classes=n_classes)
    model = Glow((1, 4, 4), n_levels=1, n_steps=1, coupling=affine, top=top)
    perturb(model.flow.top, 0.3)
    return model


def test_a_sweep_names_its_temperatures_and_keeps_the_latents(model: Glow) -> None:
    figure = figures.temperature_sweep(model, (0.0, 0.7), n_columns=3, seed=2)
    title, rows, columns = labels_of(figure)
    assert "temperature" in title
    assert rows == ["T = 0", "T = 0.7"]
    assert columns == []
    shown = images_of(figure, 2, 3)
    assert torch.equal(shown[0, 0], shown[0, 1])
    same = model.sample(3, 0.7, generator=torch.Generator().manual_seed(2))
    assert torch.equal(shown[1], same.expand(-1, 3, -1, -1))


def test_classes_name_the_columns() -> None:
    _, _, columns = labels_of(figures.sample_grid(by_class(2), n_columns=3, n_rows=2))
    assert columns == ["class 0", "class 1", "class 0"]
    named = figures.sample_grid(by_class(2), n_columns=3, class_names=["cat", "dog"])
    assert labels_of(named)[2] == ["cat", "dog", "cat"]


def test_columns_hold_the_classes_in_their_labels() -> None:
    model = by_class(3)
    shown = images_of(figures.sample_grid(model, n_columns=4, n_rows=3, seed=2), 3, 4)
    latents = model.sample_latents(12, 0.7, torch.Generator().manual_seed(2))
    expected = model.decode(latents, torch.tensor([0, 1, 2, 0]).repeat(3))
    assert torch.equal(shown[:, :, :1].flatten(0, 1), expected)
    wrong = model.decode(latents, torch.tensor([0, 1, 2, 0]).repeat_interleave(3))
    assert not torch.equal(expected, wrong)
    swept = images_of(figures.temperature_sweep(model, (0.7,), n_columns=4, seed=2), 1, 4)
    latents = model.sample_latents(4, 0.7, torch.Generator().manual_seed(2))
    assert torch.equal(swept[0, :, :1], model.decode(latents, torch.tensor([0, 1, 2, 0])))


def test_the_title_has_the_temperature_of_every_level(model: Glow) -> None:
    title, _, _ = labels_of(figures.sample_grid(model, 2, 1, temperature=[0.5, 0.7]))
    assert title == "Samples at temperature 0.5 (level 1), 0.7 (level 2)"


def test_figures_depend_on_their_seed_alone(model: Glow) -> None:
    first = images_of(figures.sample_grid(model, 3, 2, seed=4, batch_size=6), 2, 3)
    torch.manual_seed(123)
    second = images_of(figures.sample_grid(model, 3, 2, seed=4, batch_size=2), 2, 3)
    assert torch.equal(first, second)
    other = images_of(figures.sample_grid(model, 3, 2, seed=5), 2, 3)
    assert not torch.equal(first, other)


def test_models_are_shown_side_by_side(model: Glow) -> None:
    deeper = Glow((1, 8, 8), n_levels=3, n_steps=1, coupling=affine)
    figure = figures.samples_of_models(
        [("L=2", model), ("L=3", deeper)], 4, temperature=0.5, seed=1
    )
    assert labels_of(figure)[1] == ["L=2", "L=3"]
    same = deeper.sample(4, 0.5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(images_of(figure, 2, 4)[1], same.expand(-1, 3, -1, -1))


def test_a_memorized_sample_is_beside_itself(images: Tensor) -> None:
    figure = figures.neighbors(images[[5, 2]], images, n_neighbors=3)
    _, rows, columns = labels_of(figure)
    assert columns == ["sample", "nearest", "2", "3"]
    assert all(row.startswith("0 to ") for row in rows)
    shown = images_of(figure, 2, 4)
    assert torch.equal(shown[:, 0], shown[:, 1])
    assert torch.equal(shown[:, 0], images[[5, 2]].expand(-1, 3, -1, -1))
