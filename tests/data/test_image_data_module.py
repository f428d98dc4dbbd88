from dataclasses import dataclass
from typing import Any

import pytest
import torch

from glow.data import ImageDataModule, ImageDataset, SplitName


@dataclass(kw_only=True, eq=False)
class Numbered(ImageDataModule):
    """Images whose every pixel is their index."""

    n_images: int = 50
    n_channels: int = 1

    def read(self, split: SplitName) -> tuple[torch.Tensor, torch.Tensor]:
        index = torch.arange(self.n_images)
        images = index.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, self.n_channels, 4, 4)
        return images, index % 10


def numbered(**options: Any) -> Numbered:
    data = Numbered(image_shape=(1, 4, 4), n_classes=10, batch_size=8, **options)
    data.setup()
    return data


def test_batches_are_images_and_labels() -> None:
    images, labels = next(iter(numbered().train_dataloader()))
    assert images.shape == (8, 1, 4, 4)
    assert images.dtype == torch.uint8
    assert torch.equal(labels, images[:, 0, 0, 0].long() % 10)


def test_evaluation_sees_every_image_once_in_order() -> None:
    for split in ("val", "test"):
        loader = numbered().evaluation_dataloader(split)
        assert [int(i) for images, _ in loader for i in images[:, 0, 0, 0]] == list(range(50))


def test_the_initialization_batch_is_always_the_same_and_mixed() -> None:
    images, labels = numbered().initialization_batch(20)
    again, _ = numbered().initialization_batch(20)
    assert torch.equal(images, again)
    assert images[:, 0, 0, 0].tolist() != list(range(20))
    assert labels.shape == (20,)
    assert len(numbered().initialization_batch(1000)[0]) == 50


def test_what_is_not_as_announced_is_told() -> None:
    with pytest.raises(ValueError, match=r"data.image_shape is \(1, 4, 4\), but .* \(3, 4, 4\)"):
        numbered(n_channels=3)
    with pytest.raises(ValueError, match=r"7 images .* are too few .* largest legal .* is 7"):
        numbered(n_images=7)
    data = Numbered(image_shape=(1, 4, 4), n_classes=5, batch_size=8)
    with pytest.raises(ValueError, match="labels from 0 to 9; they must lie from 0 to 4"):
        data.setup()


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("flip", "no", "data.flip must be true or false, got 'no'"),
        ("max_shift", "much", "data.max_shift must be of type .*float.*, got 'much'"),
        ("max_shift", None, "data.max_shift must be of type .*float.*, got None"),
        ("batch_size", 2.5, "data.batch_size must be of type .*int.*, got 2.5"),
        ("batch_size", True, "data.batch_size must be of type .*int.*, got True"),
        ("image_shape", 32, r"image_shape must be \[channels,height,width\], .* got 32"),
        ("image_shape", (3, 32), r"image_shape must be \[channels,height,width\]"),
        ("image_shape", (3, 32, 0), r"image_shape must be \[channels,height,width\]"),
    ],
)
def test_options_of_another_type_are_told(option: str, value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Numbered(**{"image_shape": (1, 4, 4), option: value})


def test_every_split_is_checked_before_training() -> None:
    class NoTestImages(Numbered):
        def read(self, split: SplitName) -> tuple[torch.Tensor, torch.Tensor]:
            images, labels = super().read(split)
            return (images[:0], labels[:0]) if split == "test" else (images, labels)

    with pytest.raises(ValueError, match="test split: there are no images in it"):
        NoTestImages(image_shape=(1, 4, 4), batch_size=8).setup("fit")


def test_images_of_many_classes_come_before_more_of_one_class() -> None:
    labels = torch.tensor([6, 6, 2, 6, 2, 5])
    dataset = ImageDataset(torch.zeros(6, 1, 4, 4, dtype=torch.uint8), labels)
    assert dataset.of_many_classes(4) == [0, 2, 5, 1]
    assert dataset.of_many_classes(9) == [0, 2, 5, 1, 4, 3]


def test_an_unknown_split_is_told() -> None:
    with pytest.raises(ValueError, match="no split validation; choose from train, val, test"):
        numbered().evaluation_dataloader("validation")
