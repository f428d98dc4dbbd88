from functools import partial
from pathlib import Path

import torch
from matplotlib import image as matplotlib_image
from matplotlib.figure import Figure

from glow import Glow, figures
from glow.layers import ClassConditionalPrior
from tests.bijections import affine


def labels_of(figure: Figure) -> tuple[str, list[str], list[str]]:
    [axes] = figure.axes
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    return axes.get_title(), rows, columns


def test_the_table_shows_every_image_where_it_belongs() -> None:
    rows = torch.arange(6, dtype=torch.uint8).view(2, 3, 1, 1, 1).expand(2, 3, 1, 4, 5) * 40
    figure = figures.image_table(rows, "A title", ["a", "b"], ["1", "2", "3"])
    assert labels_of(figure) == ("A title", ["a", "b"], ["1", "2", "3"])
    [axes] = figure.axes
    shown = axes.images[0].get_array()
    assert shown is not None
    for i, y in enumerate(axes.get_yticks()):
        for j, x in enumerate(axes.get_xticks()):
            assert shown[int(y), int(x), 0] == 40 * (3 * i + j)


def test_a_sweep_names_its_temperatures(model: Glow) -> None:
    figure = figures.temperature_sweep(model, (0.0, 0.7), n_columns=3)
    title, rows, columns = labels_of(figure)
    assert "temperature" in title
    assert rows == ["T = 0", "T = 0.7"]
    assert columns == []


def test_classes_name_the_columns() -> None:
    top = partial(ClassConditionalPrior, n_classes=2)
    model = Glow((1, 4, 4), n_levels=1, n_steps=1, coupling=affine, top=top)
    _, _, columns = labels_of(figures.sample_grid(model, n_columns=3, n_rows=2))
    assert columns == ["class 0", "class 1", "class 0"]


def test_an_interpolation_begins_and_ends_with_the_real_images(
    model: Glow, images: torch.Tensor
) -> None:
    figure = figures.interpolation(model, images[:1], images[1:2], n_frames=5)
    _, rows, columns = labels_of(figure)
    assert rows == ["linear", "spherical"]
    assert columns == ["real", "0.25", "0.5", "0.75", "real"]
    shown = figure.axes[0].images[0].get_array()
    assert shown is not None
    assert (shown[1:9, 1:9, 0] == images[0, 0].numpy()).all()
    assert (shown[1:9, -9:-1, 0] == images[1, 0].numpy()).all()


def test_figures_do_not_depend_on_the_global_seed(model: Glow) -> None:
    first = figures.sample_grid(model, 3, 2, seed=4).axes[0].images[0].get_array()
    torch.manual_seed(123)
    second = figures.sample_grid(model, 3, 2, seed=4).axes[0].images[0].get_array()
    assert first is not None
    assert (first == second).all()


def test_the_curve_is_that_of_the_record(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "step,train/bits_per_dim,val/bits_per_dim\n9,5.0,\n19,4.0,\n19,,4.5\n"
    )
    figure = figures.training_curve(tmp_path / "metrics.csv")
    train, val = figure.axes[0].lines
    assert train.get_xydata().tolist() == [[9, 5.0], [19, 4.0]]  # type: ignore[union-attr]
    assert val.get_xydata().tolist() == [[19, 4.5]]  # type: ignore[union-attr]
    path = figures.save(figure, tmp_path / "new" / "curve.png")
    assert matplotlib_image.imread(path).shape[2] == 4
