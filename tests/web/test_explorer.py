"""What the page shows, without the page."""

import io
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from glow import Glow
from glow.analysis import batches
from glow.analysis.attributes import Directions
from glow.analysis.interpolation import linear
from glow.checkpoint import fingerprint
from glow.pretrained import Released
from glow.runs.own_samples import OwnSamples
from glow.web.encoded import Encoded
from glow.web.explorer import Explorer
from tests.pretrained.folders import release_in


def directions_of(model: Glow, n_with: tuple[int, ...] = (1, 1)) -> Directions:
    vectors = torch.randn(len(n_with), 64)
    names = ["Smiling", "Male", "Bald"][: len(n_with)]
    shapes = model.latent_shapes
    return Directions(names, vectors, shapes, list(n_with), 2, "hand", fingerprint(model))


def explorer_of(model: Glow) -> Explorer:
    return Explorer(model, OwnSamples(model=model), directions_of(model, (1, 1, 0)))


@pytest.fixture
def explorer(model: Glow) -> Explorer:
    return explorer_of(model)


@pytest.fixture
def four(explorer: Explorer, images: Tensor) -> Encoded:
    return explorer.encode(images[:4], list("abcd"))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_samples_are_those_of_the_programs(explorer: Explorer, model: Glow) -> None:
    expected = batches.sample(model.frozen(), 5, [0.3, 0.9], seed=4)
    assert torch.equal(explorer.samples([0.3, 0.9], 4, 5), expected)
    assert not torch.equal(explorer.samples([0.9, 0.9], 4, 5), expected)
    assert not torch.equal(explorer.samples([0.3, 0.9], 5, 5), expected)


def test_samples_may_be_of_one_class(by_class: Glow) -> None:
    explorer = explorer_of(by_class)
    frozen, labels = by_class.frozen(), torch.full((4,), 2)
    assert explorer.class_names == ["class 0", "class 1", "class 2", "class 3"]
    expected = batches.sample(frozen, 4, 0.7, labels)
    assert torch.equal(explorer.samples([0.7, 0.7], n=4, label=2), expected)
    mixed = batches.sample(frozen, 4, 0.7, torch.arange(4))
    assert torch.equal(explorer.samples([0.7, 0.7], n=4), mixed)
    first, third = (explorer.walk([0.4], label=label) for label in (None, 2))
    assert torch.equal(first, explorer.walk([0.4], label=0))
    assert not torch.equal(first, third)


def test_a_walk_is_a_loop_through_its_stops(explorer: Explorer, model: Glow) -> None:
    walk = explorer.walk([0, 0.25, 0.3, 1], 0.8, seed=3)
    generator = torch.Generator().manual_seed(3)
    stops = model.frozen().sample(4, 0.8, generator=generator)
    assert torch.equal(walk[0], stops[0])
    assert torch.equal(walk[1], stops[1])
    assert torch.equal(walk[3], walk[0])
    assert not torch.equal(walk[2], walk[1])


def test_a_walk_keeps_to_the_shell_of_its_temperature(explorer: Explorer) -> None:
    """Half way along a straight line, latents would be too short by a factor of sqrt(2)."""
    walked = explorer.model.encode(explorer.walk([0.0, 0.125, 0.25], 0.9, seed=1)).flatten()
    norms = walked.norm(dim=1)
    assert norms[1] > 0.9 * norms[[0, 2]].min()


def test_the_ends_of_an_interpolation_are_the_images(explorer: Explorer, four: Encoded) -> None:
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    found = torch.cat([explorer.between(four, across, down) for across, down in corners])
    assert torch.equal(found, four.images)
    pair = explorer.encode(four.images[:2], ["a", "b"])
    assert torch.equal(explorer.between(pair, 1, 0.7)[0], pair.images[1])


def test_the_overview_agrees_with_each_place(explorer: Explorer, four: Encoded) -> None:
    square = explorer.overview(four, 3, linear)
    assert square.shape == (3, 3, 1, 8, 8)
    differing = (square[1, 2].int() - explorer.between(four, 1, 0.5, linear)[0].int()).abs()
    assert differing.max() <= 1
    pair = explorer.encode(four.images[:2], ["a", "b"])
    line = explorer.overview(pair, 5, linear)
    assert line.shape == (1, 5, 1, 8, 8)
    assert torch.equal(line[0, [0, -1]], pair.images)


def test_places_between_classes_are_of_the_nearest(by_class: Glow, images: Tensor) -> None:
    explorer = explorer_of(by_class)
    four = explorer.encode(images[:4], list("abcd"))
    assert four.labels is not None
    corners = torch.cat([explorer.between(four, a, d) for d in (0, 1) for a in (0, 1)])
    assert torch.equal(corners, four.images)


@pytest.mark.parametrize("n", [1, 3])
def test_neither_two_nor_four_images_raise(explorer: Explorer, images: Tensor, n: int) -> None:
    some = explorer.encode(images[:n], ["x"] * n)
    with pytest.raises(ValueError, match=f"choose two pictures, or four for a square; got {n}"):
        explorer.between(some, 0.5, 0.5)
    with pytest.raises(ValueError, match="choose two pictures"):
        explorer.overview(some, 3)


def test_attributes_move_an_image(explorer: Explorer, model: Glow, four: Encoded) -> None:
    one = explorer.encode(four.images[:1], ["one"])
    assert list(explorer.directions) == ["Smiling", "Male"]  # nobody is bald
    assert torch.equal(explorer.moved(one, {"Smiling": 0, "Male": 0.0}), one.images)
    both = explorer.moved(one, {"Smiling": 0.5, "Male": -1.0})
    vectors = one.latents.flatten()
    for name, strength in (("Smiling", 0.5), ("Male", -1.0)):
        vectors = vectors + strength * explorer.directions[name].flatten()
    assert torch.equal(both, explorer._decode(vectors, None))
    with pytest.raises(ValueError, match="did you mean Smiling"):
        explorer.check_attribute("Smilling")


def test_only_the_chosen_levels_are_drawn_again(explorer: Explorer, four: Encoded) -> None:
    one = explorer.encode(four.images[:1], ["one"])
    assert torch.equal(explorer.redrawn(one, [], n=2), one.images.expand(2, -1, -1, -1))
    drawn = explorer.redrawn(one, [2], 0.5, seed=1, n=3)
    assert len(drawn.unique(dim=0)) == 3
    again = explorer.redrawn(one, [2], 0.5, seed=1, n=3)
    assert torch.equal(drawn, again)
    assert not torch.equal(drawn, explorer.redrawn(one, [2], 0.5, seed=2, n=3))


def test_all_levels_together_are_the_image(explorer: Explorer, four: Encoded) -> None:
    one = explorer.encode(four.images[:1], ["one"])
    levels = explorer.coarse_to_fine(one)
    assert torch.equal(levels[-1:], one.images)
    assert not torch.equal(levels[:1], one.images)


def test_the_parts_are_those_of_an_evaluation(explorer: Explorer, four: Encoded) -> None:
    expected = batches.bits_per_dim(explorer.model, four.images)
    torch.testing.assert_close(explorer.parts(four).total, expected)


def test_pictures_of_any_size_and_color_are_fitted(explorer: Explorer) -> None:
    content = png(Image.new("RGB", (30, 20), (200, 100, 50)))
    encoded, notes = explorer.read([("me \n.png", content)])
    assert encoded.images.shape == (1, 1, 8, 8)
    assert encoded.names == ["me  .png"]
    [note] = notes
    assert note == "me  .png, 30x20, was made gray and cropped centrally and resized to 8x8"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty.png cannot be used as a picture: the file is empty"),
        (b"<svg></svg>", "cannot be used as a picture: it is a web page or other text"),
        (b"hello", "cannot be used as a picture: it is none of PNG, JPEG"),
        (png(Image.new("L", (30, 20)))[:60], "cannot be used as a picture: it is broken"),
    ],
)
def test_what_is_no_picture_raises(explorer: Explorer, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer.read([("empty.png", content)])


def test_a_picture_of_too_many_pixels_raises(model: Glow) -> None:
    explorer = Explorer(model, OwnSamples(model=model, max_pixels=500))
    with pytest.raises(ValueError, match=r"more pixels than data.max_pixels=500 allows"):
        explorer.read([("big.png", png(Image.new("L", (30, 20))))])


def test_the_release_suggests_attributes(
    explorer: Explorer, model: Glow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release_in(tmp_path, monkeypatch, {"faces": model}, attributes=["Male", "Bald"])
    assert explorer.suggested(Released("faces")) == ["Male"]
    assert explorer.suggested(None) == ["Smiling", "Male"]
    assert explorer.suggested(None, n=1) == ["Smiling"]
