from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glow.data import (
    MNIST,
    NPZ,
    CelebA,
    Digits,
    Folder,
    PaddedMNIST,
    Selection,
    fit_file,
    fit_images,
    random_indices,
    select,
)
from glow.data.image_file import fit
from tests.data.pictures import paint, write_celeba


def gradient(width: int, height: int) -> Image.Image:
    """Return a picture whose red grows from left to right and whose green grows downward."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * x / width, 255 * y / height, 0 * x], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def faces(tmp_path: Path) -> CelebA:
    write_celeba(tmp_path)
    return CelebA(
        root=str(tmp_path),
        cache_dir=str(tmp_path / "cache"),
        image_shape=(3, 16, 16),
        batch_size=4,
    )


def test_numbers_and_files_may_be_mixed(faces: CelebA, tmp_path: Path) -> None:
    face = Image.open(next((tmp_path / "celeba" / "img_align_celeba").iterdir()))
    face.save(tmp_path / "me.png")
    selection = select(faces, [2, str(tmp_path / "me.png"), 0], "test")
    images, _ = faces.dataset("test").__getitems__([2, 0])
    assert torch.equal(selection.images[[0, 2]], images)
    assert selection.names == ["test 2", "me", "test 0"]
    assert selection.slug == "test2_me_test0"
    assert selection.labels.tolist() == [-1, -1, -1]  # attributes are not classes
    assert selection.notes == [
        f"{tmp_path}/me.png, 178x218, was cropped as central_148_v1 and resized to 16x16"
    ]


def test_images_of_a_split_have_their_classes(tmp_path: Path) -> None:
    paint(tmp_path / "mine.png", 128, (8, 8))
    digits = Digits()
    selection = select(digits, [3, str(tmp_path / "mine.png")], "val")
    assert selection.labels.tolist() == [int(digits.dataset("val").labels[3]), -1]
    assert selection.notes == []
    assert (selection.images[1] == 128).all()


def test_a_slug_has_no_spaces() -> None:
    selection = Selection(torch.zeros(2), torch.zeros(2), ["val 7", "my cat"], [])
    assert selection.slug == "val7_mycat"


def test_a_file_is_cropped_like_the_pictures_of_the_source(faces: CelebA, tmp_path: Path) -> None:
    picture = gradient(178, 218)
    picture.save(tmp_path / "face.png")
    image, note = fit_file(faces, tmp_path / "face.png")
    cropped = picture.crop((15, 35, 163, 183)).resize((16, 16), Image.Resampling.BICUBIC)
    assert torch.equal(image, torch.from_numpy(fit(cropped, 16, 16)))
    assert "cropped as central_148_v1" in note
    gradient(100, 60).save(tmp_path / "wide.png")
    image, note = fit_file(faces, tmp_path / "wide.png")
    assert note.endswith("wide.png, 100x60, was cropped centrally and resized to 16x16")
    assert image[0].min() == pytest.approx(255 * 20 / 100, abs=10)
    assert image[0].max() == pytest.approx(255 * 80 / 100, abs=10)
    assert image[1].max() > 240


def test_a_color_file_is_made_gray(tmp_path: Path) -> None:
    gradient(28, 28).save(tmp_path / "color.png")
    image, note = fit_file(MNIST(root="nowhere"), tmp_path / "color.png")
    assert image.shape == (1, 28, 28)
    assert note == f"{tmp_path}/color.png, 28x28, was made gray"


def test_a_gray_file_is_converted_to_three_channels(tmp_path: Path) -> None:
    paint(tmp_path / "gray.png", 100, (32, 32))
    image, note = fit_file(
        Folder(root=str(tmp_path), image_shape=(3, 32, 32)), tmp_path / "gray.png"
    )
    assert (image == 100).all()
    assert note.endswith("was converted to 3 channels")


def test_a_file_is_padded_like_mnist(tmp_path: Path) -> None:
    paint(tmp_path / "digit.png", 200, (28, 28))
    image, note = fit_file(PaddedMNIST(root="nowhere"), tmp_path / "digit.png")
    assert image.shape == (3, 32, 32)
    assert (image[:, 2:30, 2:30] == 200).all()
    assert int(image.sum()) == 3 * 28 * 28 * 200
    assert "padded to 32x32" in note


def test_a_file_of_the_padded_size_is_not_padded(tmp_path: Path) -> None:
    gradient(32, 32).save(tmp_path / "padded.png")
    image, note = fit_file(PaddedMNIST(root="nowhere"), tmp_path / "padded.png")
    assert note.endswith("32x32, was made gray")
    assert torch.equal(image[0], image[2])
    assert image[0, 16, 31] > image[0, 16, 0]


def test_a_file_that_fits_has_no_note(tmp_path: Path) -> None:
    Image.new("LA", (28, 28), (100, 255)).save(tmp_path / "clear.png")
    _, note = fit_file(MNIST(root="nowhere"), tmp_path / "clear.png")
    assert note == ""


def test_arrays_are_fitted_like_files() -> None:
    pixels = torch.from_numpy(np.asarray(gradient(20, 12)).transpose(2, 0, 1).copy())
    [image] = fit_images(pixels[None], (3, 6, 6))
    assert torch.equal(image, torch.from_numpy(fit(gradient(20, 12), 6, 6)))
    assert fit_images(pixels[None], (1, 6, 6)).shape == (1, 1, 6, 6)
    assert torch.equal(fit_images(pixels[None, :1], (3, 12, 20))[0, 2], pixels[0])


def test_files_that_are_not_pictures_raise(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder").mkdir()
    digits = Digits()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nobody\.png"):
        select(digits, [str(tmp_path / "nobody.png")], "test")
    with pytest.raises(ValueError, match=r"text\.png cannot be used as a picture: it is none"):
        select(digits, [str(tmp_path / "text.png")], "test")
    with pytest.raises(ValueError, match="folder cannot be used as a picture: it is not a regular"):
        select(digits, [str(tmp_path / "folder")], "test")


def test_references_to_images_that_do_not_exist_raise() -> None:
    digits = Digits()
    with pytest.raises(ValueError, match="no image 300 in the test split: its 300 images"):
        select(digits, [300], "test")
    with pytest.raises(ValueError, match="there is no split tset"):
        select(digits, [3], "tset")
    with pytest.raises(ValueError, match=r"numbers in a split or names of files.* got True"):
        select(digits, [True], "test")


def test_images_of_four_channels_raise(tmp_path: Path) -> None:
    paint(tmp_path / "gray.png", 100)
    four = NPZ(root=str(tmp_path), train="a.npz", val="a.npz", test="a.npz", image_shape=(4, 8, 8))
    with pytest.raises(ValueError, match=r"fitted to images with 1 or 3 channels, got 4"):
        fit_file(four, tmp_path / "gray.png")
    with pytest.raises(ValueError, match=r"fitted to images with 1 or 3 channels, got 4"):
        fit_images(torch.zeros(2, 4, 8, 8, dtype=torch.uint8), (3, 8, 8))


def test_random_indices_depend_on_the_seed_and_do_not_repeat() -> None:
    indices = random_indices(100, 10, seed=1)
    assert len(indices.unique()) == 10
    assert indices.max() > 50
    assert torch.equal(indices, random_indices(100, 10, seed=1))
    assert not torch.equal(indices, random_indices(100, 10, seed=2))
    assert torch.equal(random_indices(100, 1000), torch.arange(100))


def test_choosing_no_image_raises() -> None:
    with pytest.raises(ValueError, match="n_images must be at least 1, got 0"):
        random_indices(3, 0)
