from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glow.data import Augmentation, Batch, ImageDataModule, SplitName
from glow.data.image_data_module import TrainingImages
from tests.data.test_training_order import trainer


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shift an image (C,H,W), pixel by pixel, what is bare filled from the edge."""
    _, height, width = image.shape
    result = np.empty_like(image)
    for row in range(height):
        for column in range(width):
            source = min(max(row - down, 0), height - 1), min(max(column - right, 0), width - 1)
            result[:, row, column] = image[:, *source]
    return result


@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    max_shift=st.sampled_from([0.0, 0.1, 0.3]),
    flip=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_image_is_shifted_and_mirrored_on_its_own(
    *, channels: int, height: int, width: int, max_shift: float, flip: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    images = torch.from_numpy(random.integers(0, 256, (4, channels, height, width), np.uint8))
    augmented = Augmentation(max_shift, flip)(images, random)
    assert augmented.dtype == torch.uint8
    most = int(max_shift * height), int(max_shift * width)
    for image, result in zip(images.numpy(), augmented.numpy(), strict=True):
        allowed = [
            shifted(image, down, right)
            for down in range(-most[0], most[0] + 1)
            for right in range(-most[1], most[1] + 1)
        ]
        if flip:
            allowed += [image[:, :, ::-1] for image in allowed]
        assert any(np.array_equal(result, one) for one in allowed)


def test_all_shifts_and_both_sides_come_up() -> None:
    image = torch.arange(400, dtype=torch.int16).view(1, 1, 20, 20)
    augmented = Augmentation(0.1, flip=True)(
        image.expand(600, -1, -1, -1), np.random.default_rng(0)
    )
    assert len({tuple(a.flatten().tolist()) for a in augmented}) == 5 * 5 * 2
    mirrored = augmented[:, 0, 10, 15] < augmented[:, 0, 10, 5]
    assert 0.4 < mirrored.float().mean() < 0.6


def test_a_shift_of_an_image_or_more_is_refused() -> None:
    for max_shift in (-0.1, 1.0, 4):
        with pytest.raises(ValueError, match=r"data\.max_shift is a part .* got"):
            Augmentation(max_shift)


@dataclass(kw_only=True, eq=False)
class Alike(ImageDataModule):
    """Images that are all the same, so that nothing but augmentation tells them apart."""

    def read(self, split: SplitName) -> Batch:
        image = torch.arange(100, dtype=torch.uint8).view(1, 1, 10, 10)
        return image.expand(40, -1, -1, -1), torch.zeros(40, dtype=torch.int64)


def alike(trainer: Any = None, **options: Any) -> Alike:
    data = Alike(image_shape=(1, 10, 10), batch_size=8, max_shift=0.3, flip=True, **options)
    data.trainer = trainer
    data.setup()
    return data


def epoch(trainer: Any = None, **options: Any) -> torch.Tensor:
    return torch.cat([images for images, _ in alike(trainer, **options).train_dataloader()])


def test_training_images_depend_on_seed_and_position_alone() -> None:
    first = epoch(seed=1)
    torch.manual_seed(99)
    assert torch.equal(epoch(seed=1), first)
    assert torch.equal(epoch(seed=1, num_workers=2), first)
    assert torch.equal(epoch(trainer(done=3), seed=1)[:8], first[24:32])
    assert not torch.equal(epoch(seed=2), first)


def test_another_seed_augments_the_same_positions_otherwise() -> None:
    dataset = alike().dataset("train")
    first, again, other = (
        TrainingImages(dataset, Augmentation(0.3, flip=True), seed).__getitems__(range(8))[0]
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_two_batches_are_augmented_alike() -> None:
    """Of any two workers, processes or passes: these are batches of all of them."""
    epochs = [
        *(epoch(trainer(rank=rank, world_size=2), num_workers=2) for rank in range(2)),
        epoch(trainer(done=5)),
        epoch(trainer(done=10)),
    ]
    all_batches = torch.cat(epochs).view(-1, 8 * 100)
    assert len(all_batches.unique(dim=0)) == len(all_batches) == 2 + 2 + 5 + 5


def test_evaluation_and_initialization_take_images_as_they_are() -> None:
    data = alike()
    image = data.dataset("train").images[0]
    assert all((images == image).all() for images, _ in data.val_dataloader())
    assert all((images == image).all() for images, _ in data.test_dataloader())
    assert (data.initialization_batch(8)[0] == image).all()
