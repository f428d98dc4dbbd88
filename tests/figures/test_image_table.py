import itertools
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from glow import figures
from tests.figures.reading import images_of, labels_of


def test_the_table_shows_every_image_in_its_place() -> None:
    rows = torch.randint(256, (2, 3, 3, 4, 5), dtype=torch.uint8)
    figure = figures.image_table(rows, "A title", ["a", "b"], ["1", "2", "3"])
    assert labels_of(figure) == ("A title", ["a", "b"], ["1", "2", "3"])
    assert torch.equal(images_of(figure, 2, 3), rows)
    [axes] = figure.axes
    shown = torch.as_tensor(axes.images[0].get_array())
    for i, y in enumerate(axes.get_yticks()):
        for j, x in enumerate(axes.get_xticks()):
            assert (rows[i, j] == shown[int(y), int(x)][:, None, None]).all(0).any()


def test_images_of_other_channels_are_shown_in_gray() -> None:
    rows = torch.tensor([10, 20, 60, 70], dtype=torch.uint8).view(1, 1, 4, 1, 1)
    figure = figures.image_table(rows.expand(1, 2, 4, 4, 4), "Four channels")
    assert (images_of(figure, 1, 2) == 40).all()


def test_no_text_is_cut_from_the_file(tmp_path: Path) -> None:
    rows = torch.zeros(1, 1, 1, 8, 8, dtype=torch.uint8)
    names = ["a name that is much longer than the picture is wide"]
    figure = figures.image_table(rows, "A title that is as long as that, or longer", names, names)
    path = figures.save(figure, tmp_path / "new" / "table.png")
    dark = pil_to_tensor(Image.open(path).convert("L"))[0] < 128
    for edge in (dark[0], dark[-1], dark[:, 0], dark[:, -1]):
        assert not edge.any()


@pytest.mark.parametrize("size", [(8, 8), (32, 8), (8, 64), (64, 64)])
def test_labels_do_not_overlap(size: tuple[int, int]) -> None:
    rows = torch.zeros(3, 4, 1, *size, dtype=torch.uint8)
    names = ["levels 1-3", "nearest", "norm-preserving", "0.125"]
    figure = figures.image_table(rows, "A title", ["a\nspherical"] * 3, names)
    figure.canvas.draw()
    [axes] = figure.axes
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_one_image_is_a_table_too() -> None:
    rows = torch.randint(256, (1, 1, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(images_of(figures.image_table(rows, "One"), 1, 1)[0, 0, :1], rows[0, 0])


def test_rows_that_do_not_fit_raise() -> None:
    image = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match="at least one row, and images of one shape"):
        figures.image_table([], "None")
    with pytest.raises(ValueError, match="at least one row, and images of one shape"):
        figures.image_table([image, image[..., :4]], "Two")


def test_an_animation_plays_forth_and_back(tmp_path: Path) -> None:
    frames = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1, 1, 1) * 50
    drawn = (figures.image_table(frame.expand(1, 1, 1, 8, 8), "A title") for frame in frames)
    path = figures.animate(drawn, tmp_path / "new" / "ways.gif", seconds=1.2)
    with Image.open(path) as gif:
        assert gif.n_frames == 6  # type: ignore[attr-defined]
        assert gif.info["loop"] == 0
        assert gif.info["duration"] == 200
        middles = []
        for i in range(6):
            gif.seek(i)
            frame = gif.convert("L")
            middles.append(frame.getpixel((frame.width // 2, frame.height - 50)))
    assert middles == [0, 50, 100, 150, 100, 50]
