import dataclasses
import typing
from typing import Any

import pytest
import torch

from glow.data import (
    CIFAR10,
    MNIST,
    NPZ,
    CelebA,
    Digits,
    FashionMNIST,
    Folder,
    ImageDataModule,
    ImageDataset,
    PaddedMNIST,
    SplitName,
)
from tests.data.numbered import Numbered, numbered

SOURCES = (CIFAR10, MNIST, NPZ, CelebA, Digits, FashionMNIST, Folder, PaddedMNIST)


def test_batches_are_images_and_labels() -> None:
    images, labels = next(iter(numbered().train_dataloader()))
    assert images.shape == (8, 1, 4, 4)
    assert images.dtype == torch.uint8
    assert torch.equal(labels, images[:, 0, 0, 0].long() % 10)


@pytest.mark.parametrize("split", ["val", "test"])
def test_evaluation_sees_every_image_once_in_order(split: str) -> None:
    loader = numbered().evaluation_dataloader(split)
    assert [int(i) for images, _ in loader for i in images[:, 0, 0, 0]] == list(range(50))


def test_the_initialization_batch_is_always_the_same_and_shuffled() -> None:
    images, labels = numbered().initialization_batch(20)
    again, _ = numbered().initialization_batch(20)
    assert torch.equal(images, again)
    assert images[:, 0, 0, 0].tolist() != list(range(20))
    assert labels.shape == (20,)
    assert len(numbered().initialization_batch(1000)[0]) == 50


def test_images_of_another_shape_raise() -> None:
    message = r"uint8 of the shape data.image_shape=\(1, 4, 4\), got .* \(3, 4, 4\)"
    with pytest.raises(ValueError, match=message):
        numbered(n_channels=3)


def test_a_batch_larger_than_the_data_raises() -> None:
    message = r"data\.batch_size must be at most 7, the number of images .*, got 8"
    with pytest.raises(ValueError, match=message):
        numbered(n_images=7)


def test_labels_beyond_the_classes_raise() -> None:
    data = Numbered(image_shape=(1, 4, 4), n_classes=5, batch_size=8)
    with pytest.raises(ValueError, match=r"labels must be from 0 to 4, .* got labels from 0 to 9"):
        data.setup()


@pytest.mark.parametrize("image_shape", [32, (3, 32), (3, 32, 0), (3, 32, 32.5), "332", None])
def test_an_image_shape_that_is_not_three_positive_integers_raises(image_shape: Any) -> None:
    with pytest.raises(ValueError, match=r"image_shape must be \[channels,height,width\], .* got"):
        Numbered(image_shape=image_shape)


@pytest.mark.parametrize("option", ["batch_size", "eval_batch_size", "max_pixels"])
def test_an_option_that_must_be_positive_raises(option: str) -> None:
    options: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=rf"data\.{option} must be at least 1, got 0"):
        numbered(**options)


@pytest.mark.parametrize("source", SOURCES)
def test_the_types_of_all_options_can_be_resolved(source: type[ImageDataModule]) -> None:
    types = typing.get_type_hints(source)
    options = [field.name for field in dataclasses.fields(source) if field.init]
    assert types["image_shape"] == tuple[int, int, int]
    assert all(types[option] is not Any for option in options)


def test_every_split_is_checked_before_training() -> None:
    class NoTestImages(Numbered):
        def read(self, split: SplitName) -> tuple[torch.Tensor, torch.Tensor]:
            images, labels = super().read(split)
            return (images[:0], labels[:0]) if split == "test" else (images, labels)

    with pytest.raises(ValueError, match="test split: there are no images in it"):
        NoTestImages(image_shape=(1, 4, 4), batch_size=8).setup("fit")


@pytest.mark.parametrize("validates", [True, False])
def test_only_a_source_that_does_not_validate_may_lack_validation_images(
    *, validates: bool
) -> None:
    class NoValidationImages(Numbered):
        @property
        def validates(self) -> bool:
            return validates

        def read(self, split: SplitName) -> tuple[torch.Tensor, torch.Tensor]:
            images, labels = super().read(split)
            return (images[:0], labels[:0]) if split == "val" else (images, labels)

    data = NoValidationImages(image_shape=(1, 4, 4), batch_size=8)
    if validates:
        with pytest.raises(ValueError, match="val split: there are no images in it"):
            data.setup()
    else:
        data.setup()
        assert data.val_dataloader() == []


def test_the_first_images_of_all_classes_come_before_the_second_ones() -> None:
    labels = torch.tensor([6, 6, 2, 6, 2, 5])
    dataset = ImageDataset(torch.zeros(6, 1, 4, 4, dtype=torch.uint8), labels)
    assert dataset.indices_across_classes(4) == [0, 2, 5, 1]
    assert dataset.indices_across_classes(9) == [0, 2, 5, 1, 4, 3]


def test_an_unknown_split_raises() -> None:
    with pytest.raises(ValueError, match="no split validation; choose from train, val, test"):
        numbered().evaluation_dataloader("validation")


def test_one_line_says_how_many_images_and_classes_there_are() -> None:
    assert numbered(n_classes=0).summary_line() == (
        "Numbered: train 50 images; val 50 images; test 50 images"
    )
    digits = Digits()
    digits.setup()
    assert digits.summary_line() == (
        "Digits: train 1,297 images in 10 classes; val 200 images in 10 classes; "
        "test 300 images in 10 classes"
    )


def test_the_line_is_one_line_of_characters_that_can_be_printed() -> None:
    class Elsewhere(Numbered):
        def origin(self, split: SplitName) -> str:
            return f"/a\nb/\udcff\u202e/{split}"

    data = Elsewhere(image_shape=(1, 4, 4), n_classes=10, batch_size=8)
    data.setup()
    line = data.summary_line()
    assert "from /a b/\\udcff\\u202e/test" in line
    assert line.isprintable()


def test_images_before_setup_raise() -> None:
    data = Numbered(image_shape=(1, 4, 4))
    with pytest.raises(RuntimeError, match="Numbered has not read its images: call setup first"):
        data.dataset("train")
    with pytest.raises(RuntimeError, match="Numbered has not read its images: call setup first"):
        data.initialization_batch(8)
