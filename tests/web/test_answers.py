"""The HTML with which the page answers."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glow import Glow
from glow.analysis.attributes import Directions
from glow.analysis.parts import Parts
from glow.checkpoint import fingerprint
from glow.runs.own_samples import OwnSamples
from glow.web import html
from glow.web.answers import Answers
from glow.web.explorer import Explorer
from glow.web.speed import time_moves
from tests.data.pictures import paint


@pytest.fixture
def answers(model: Glow) -> Answers:
    directions = Directions(
        ["Smiling"], torch.randn(1, 64), model.latent_shapes, [1], 2, "hand", fingerprint(model)
    )
    return Answers(Explorer(model, OwnSamples(model=model), directions), "digits")


def files_in(text: str, attribute: str) -> list[np.ndarray]:
    """Return the pixels of the PNG files in an attribute, each (H,W) or (H,W,C)."""
    found = re.findall(rf'{attribute}="data:image/png;base64,(.*?)"', text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(file)))) for file in found]


def test_pictures_are_the_images_pixel_by_pixel() -> None:
    images = torch.randint(256, (3, 3, 4, 6), dtype=torch.uint8)
    text = html.pictures(images, ["a", "<b>", "c"], 2)
    for pixels, image in zip(files_in(text, "src"), images, strict=True):
        assert np.array_equal(pixels, image.permute(1, 2, 0).numpy())
    assert "--columns:2" in text
    assert "<figcaption>&lt;b&gt;</figcaption>" in text
    assert "download" not in text


def test_what_is_shown_can_be_downloaded() -> None:
    images = torch.randint(256, (3, 1, 64, 64), dtype=torch.uint8)
    text = html.pictures(images, columns=2, file="digits")
    assert 'download="digits.png"' in text
    [pixels] = files_in(text, "href")
    assert pixels.shape == (264, 264)  # 2 rows of 2, twice as large, with gaps
    assert np.array_equal(pixels[2:130:2, 2:130:2], images[0, 0].numpy())
    assert np.array_equal(pixels[134:262:2, 2:130:2], images[2, 0].numpy())
    assert (pixels[134:262, 134:262] == 255).all()
    [one] = files_in(html.pictures(images[:1], file="one"), "href")
    assert one.shape == (128, 128)


def test_images_of_other_numbers_of_channels_are_shown_in_gray() -> None:
    images = torch.tensor([10, 30], dtype=torch.uint8).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    [pixels] = files_in(html.pictures(images), "src")
    assert (pixels == 20).all()


def test_sentences_are_text() -> None:
    assert html.sentence("") == ""
    assert html.sentence("<script> is no picture", wrong=True) == (
        '<p class="glow-sentence" role="alert">&lt;script&gt; is no picture</p>'
    )
    assert 'role="status">Fine<' in html.sentence("fine")


def test_bars_show_every_part_and_the_total() -> None:
    noise, volume = torch.tensor([[1.0], [0.25]]), torch.tensor([[-3.0], [0.5]])
    text = html.bars(Parts(torch.tensor([8.0]), noise, volume))
    assert "<b>6.750</b> bits/dim" in text
    values = re.findall(r"<td>([+-][\d.]+)</td>", text)
    assert values == ["+8.000", "-2.000", "+0.750"]
    assert "noise +1.000, volume -3.000" in text
    assert "left:37.5%;width:12.5%" in text  # a quarter of the longest, to the left
    infinite = Parts(torch.tensor([8.0]), torch.tensor([[torch.inf]]), torch.tensor([[0.0]]))
    assert "<b>inf</b>" in html.bars(infinite)


def test_answers_depend_on_their_arguments_alone(answers: Answers) -> None:
    first = answers.samples(1, None, 0.7, 0.7)
    answers.samples(2, None, 0.7, 0.2)
    assert answers.samples(1, None, 0.7, 0.7) == first
    assert answers.samples(2, None, 0.7, 0.7) != first
    assert len(files_in(first, "src")) == 8


def test_the_strip_of_a_walk_holds_its_places(answers: Answers) -> None:
    strip = files_in(answers.strip(3, None, 0.7), "src")
    for i in (0, 4):
        [place] = files_in(answers.place(3, None, 0.7, i / 8), "src")
        assert np.abs(place.astype(int) - strip[i]).max() <= 1
    assert np.array_equal(strip[0], strip[-1])


def test_files_are_read_and_named(answers: Answers, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for i, path in enumerate(paths):
        paint(path, 100 + 50 * i, (8, 8))
    ends, note = answers.ends(paths)
    assert (ends.names, note) == (["a.png", "b.png"], "")
    assert ends.images.flatten(1).float().mean(1).tolist() == [100, 150]
    assert len(files_in(answers.overview(ends, "linear"), "src")) == 9
    assert "a.png" in answers.seen(answers.read(paths[:1])[0])
    with pytest.raises(ValueError, match="choose two pictures, or four for a square; got 1 pic"):
        answers.ends(paths[:1])
    with pytest.raises(ValueError, match="at most 4 pictures, got 5"):
        answers.read([paths[0]] * 5)
    with pytest.raises(ValueError, match="there is no such file"):
        answers.read([tmp_path / "nobody.png"])


def test_a_picture_with_nothing_moved_is_as_the_model_sees_it(answers: Answers) -> None:
    picture = answers.explorer.sampled(0)
    [seen] = files_in(answers.seen(picture), "src")
    [moved] = files_in(answers.moved(picture, ["Smiling"], 0.0), "src")
    assert np.array_equal(seen, moved)
    assert answers.moved(picture, ["Smiling"], 1.0) != answers.moved(picture, ["Smiling"], 0.0)
    *_, last = files_in(answers.coarse_to_fine(picture), "src")
    assert np.array_equal(seen, last)
    assert len(files_in(answers.redrawn(picture, [1], 0.7, 0), "src")) == 6
    assert "bits/dim" in answers.bits(picture)


def test_every_slider_is_timed(answers: Answers) -> None:
    assert all(0 < ms < 10_000 for ms in time_moves(answers, repeats=1).values())
    assert len(time_moves(answers, repeats=1)) == 5
