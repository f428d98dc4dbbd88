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
    drawn_indices,
    fit_file,
    fit_images,
    select,
)
from glow.data.image_file import fit
from tests.data.pictures import paint, write_celeba


def gradient(width: int, height: int) -> Image.Image:
    """Return a colour picture in which every pixel tells where it is."""
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


def test_numbers_and_files_go_together(faces: CelebA, tmp_path: Path) -> None:
    own = Image.open(next((tmp_path / "celeba" / "img_align_celeba").iterdir()))
    own.save(tmp_path / "me.png")
    chosen = select(faces, [2, str(tmp_path / "me.png"), 0], "test")
    images, _ = faces.dataset("test")[[2, 0]]  # type: ignore[index]
    assert torch.equal(chosen.images[[0, 2]], images)
    assert chosen.names == ["test 2", "me", "test 0"]
    assert chosen.labels.tolist() == [-1, -1, -1]  # attributes are no classes
    assert chosen.notes == [
        f"{tmp_path}/me.png, 178x218, was cropped as central_148_v1 and resized to 16x16"
    ]


def test_numbers_have_their_classes(tmp_path: Path) -> None:
    paint(tmp_path / "mine.png", 128, (8, 8))
    digits = Digits()
    chosen = select(digits, [3, str(tmp_path / "mine.png")], "val")
    assert chosen.labels.tolist() == [int(digits.dataset("val").labels[3]), -1]
    assert chosen.notes == []
    assert (chosen.images[1] == 128).all()


def test_a_file_is_cropped_as_the_source_crops_its_own(faces: CelebA, tmp_path: Path) -> None:
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


def test_channels_are_fitted_and_that_is_told(tmp_path: Path) -> None:
    gradient(28, 28).save(tmp_path / "colour.png")
    image, note = fit_file(MNIST(root="nowhere"), tmp_path / "colour.png")
    assert image.shape == (1, 28, 28)
    assert note == f"{tmp_path}/colour.png, 28x28, was made grey"
    paint(tmp_path / "grey.png", 100, (32, 32))
    image, note = fit_file(
        Folder(root=str(tmp_path), image_shape=(3, 32, 32)), tmp_path / "grey.png"
    )
    assert (image == 100).all()
    assert note.endswith("was put into 3 channels")
    paint(tmp_path / "digit.png", 200, (28, 28))
    image, note = fit_file(PaddedMNIST(root="nowhere"), tmp_path / "digit.png")
    assert image.shape == (3, 32, 32)
    assert (image[:, 2:30, 2:30] == 200).all()
    assert int(image.sum()) == 3 * 28 * 28 * 200
    assert "padded to 32x32" in note
    gradient(32, 32).save(tmp_path / "padded.png")
    image, note = fit_file(PaddedMNIST(root="nowhere"), tmp_path / "padded.png")
    assert note.endswith("32x32, was made grey")
    assert torch.equal(image[0], image[2])
    assert image[0, 16, 31] > image[0, 16, 0]
    Image.new("LA", (28, 28), (100, 255)).save(tmp_path / "clear.png")
    _, note = fit_file(MNIST(root="nowhere"), tmp_path / "clear.png")
    assert note == ""


def test_arrays_are_fitted_as_files_are() -> None:
    pixels = torch.from_numpy(np.asarray(gradient(20, 12)).transpose(2, 0, 1).copy())
    [image] = fit_images(pixels[None], (3, 6, 6))
    assert torch.equal(image, torch.from_numpy(fit(gradient(20, 12), 6, 6)))
    assert fit_images(pixels[None], (1, 6, 6)).shape == (1, 1, 6, 6)
    assert torch.equal(fit_images(pixels[None, :1], (3, 12, 20))[0, 2], pixels[0])


def test_what_cannot_be_chosen_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder").mkdir()
    digits = Digits()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nobody\.png"):
        select(digits, [str(tmp_path / "nobody.png")], "test")
    with pytest.raises(ValueError, match=r"text\.png is no picture that can be used: this is none"):
        select(digits, [str(tmp_path / "text.png")], "test")
    with pytest.raises(ValueError, match="folder is no picture that can be used: this is no file"):
        select(digits, [str(tmp_path / "folder")], "test")
    with pytest.raises(ValueError, match="no image 300 in the test split: its 300 images"):
        select(digits, [300], "test")
    with pytest.raises(ValueError, match="there is no split tset"):
        select(digits, [3], "tset")
    four = NPZ(root=str(tmp_path), train="a.npz", val="a.npz", test="a.npz", image_shape=(4, 8, 8))
    with pytest.raises(ValueError, match=r"pictures have 1 channel or 3, .* but here are 4"):
        fit_file(four, tmp_path / "text.png")
    with pytest.raises(ValueError, match=r"pictures have 1 channel or 3, .* but here are 4"):
        fit_images(torch.zeros(2, 4, 8, 8, dtype=torch.uint8), (3, 8, 8))
    with pytest.raises(ValueError, match=r"numbers in a split or names of files.* got True"):
        select(digits, [True], "test")
    with pytest.raises(ValueError, match="n_images must be at least 1, got 0"):
        drawn_indices(3, 0)


def test_images_are_drawn_by_the_seed_and_once_each() -> None:
    drawn = drawn_indices(100, 10, seed=1)
    assert len(drawn.unique()) == 10
    assert drawn.max() > 50
    assert torch.equal(drawn, drawn_indices(100, 10, seed=1))
    assert not torch.equal(drawn, drawn_indices(100, 10, seed=2))
    assert torch.equal(drawn_indices(100, 1000), torch.arange(100))
