from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glow.data import Augmentation, Batch, ImageDataModule, SplitName
from glow.data.image_data_module import TrainingImages
from tests.data.trainers import stub_trainer


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shift an image (C,H,W) pixel by pixel; uncovered pixels are copied from the edge."""
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
def test_every_image_is_shifted_and_mirrored_independently(
    *, channels: int, height: int, width: int, max_shift: float, flip: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    images = torch.from_numpy(random.integers(0, 256, (4, channels, height, width), np.uint8))
    augmented = Augmentation(max_shift, flip)(images, random)
    assert augmented.dtype == torch.uint8
    largest = int(max_shift * height), int(max_shift * width)
    for image, result in zip(images.numpy(), augmented.numpy(), strict=True):
        allowed = [
            shifted(image, down, right)
            for down in range(-largest[0], largest[0] + 1)
            for right in range(-largest[1], largest[1] + 1)
        ]
        if flip:
            allowed += [image[:, :, ::-1] for image in allowed]
        assert any(np.array_equal(result, one) for one in allowed)


def test_all_shifts_and_both_orientations_occur() -> None:
    image = torch.arange(400, dtype=torch.int16).view(1, 1, 20, 20)
    augmented = Augmentation(0.1, flip=True)(
        image.expand(600, -1, -1, -1), np.random.default_rng(0)
    )
    assert len({tuple(a.flatten().tolist()) for a in augmented}) == 5 * 5 * 2
    mirrored = augmented[:, 0, 10, 15] < augmented[:, 0, 10, 5]
    assert 0.4 < mirrored.float().mean() < 0.6


@pytest.mark.parametrize("max_shift", [-0.1, 1.0, 4])
def test_a_negative_shift_or_one_of_a_whole_image_raises(max_shift: float) -> None:
    with pytest.raises(
        ValueError, match=rf"data\.max_shift must be .* less than 1, got {max_shift}"
    ):
        Augmentation(max_shift)


@dataclass(kw_only=True, eq=False)
class Alike(ImageDataModule):
    """Images that are all the same, so that only augmentation makes them differ."""

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


def test_training_images_depend_only_on_seed_and_position() -> None:
    first = epoch(seed=1)
    torch.manual_seed(99)
    assert torch.equal(epoch(seed=1), first)
    assert torch.equal(epoch(seed=1, num_workers=2), first)
    assert torch.equal(epoch(stub_trainer(done=3), seed=1)[:8], first[24:32])
    assert not torch.equal(epoch(seed=2), first)


def test_another_seed_augments_the_same_positions_differently() -> None:
    dataset = alike().dataset("train")
    first, again, other = (
        TrainingImages(dataset, Augmentation(0.3, flip=True), seed).__getitems__(range(8))[0]
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_batches_of_workers_processes_and_passes_are_augmented_differently() -> None:
    epochs = [
        *(epoch(stub_trainer(rank=rank, world_size=2), num_workers=2) for rank in range(2)),
        epoch(stub_trainer(done=5)),
        epoch(stub_trainer(done=10)),
    ]
    all_batches = torch.cat(epochs).view(-1, 8 * 100)
    assert len(all_batches.unique(dim=0)) == len(all_batches) == 2 + 2 + 5 + 5


def test_evaluation_and_initialization_see_unchanged_images() -> None:
    data = alike()
    image = data.dataset("train").images[0]
    assert all((images == image).all() for images, _ in data.val_dataloader())
    assert all((images == image).all() for images, _ in data.test_dataloader())
    assert (data.initialization_batch(8)[0] == image).all()
