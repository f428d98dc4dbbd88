from pathlib import Path

import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from glow import figures
from tests.figures.reading import images_of, labels_of


def test_the_table_shows_every_image_where_it_belongs() -> None:
    rows = torch.randint(256, (2, 3, 3, 4, 5), dtype=torch.uint8)
    figure = figures.image_table(rows, "A title", ["a", "b"], ["1", "2", "3"])
    assert labels_of(figure) == ("A title", ["a", "b"], ["1", "2", "3"])
    assert torch.equal(images_of(figure, 2, 3), rows)
    [axes] = figure.axes
    shown = torch.as_tensor(axes.images[0].get_array())
    for i, y in enumerate(axes.get_yticks()):
        for j, x in enumerate(axes.get_xticks()):
            assert (rows[i, j] == shown[int(y), int(x)][:, None, None]).all(0).any()


def test_images_of_other_channels_are_shown_grey() -> None:
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


def test_an_animation_goes_there_and_back(tmp_path: Path) -> None:
    ways = (torch.arange(4, dtype=torch.uint8) * 50).view(1, 4, 1, 1, 1).expand(2, 4, 1, 8, 8)
    path = figures.animate(ways, tmp_path / "new" / "ways.gif")
    with Image.open(path) as gif:
        assert gif.n_frames == 6  # type: ignore[attr-defined]
        assert gif.info["loop"] == 0
        assert gif.width > 2 * 90
        middles = []
        for i in range(6):
            gif.seek(i)
            frame = gif.convert("L")
            middles.append(frame.getpixel((frame.width // 4, frame.height // 2)))
    assert middles == [0, 50, 100, 150, 100, 50]
