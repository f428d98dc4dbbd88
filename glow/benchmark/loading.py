"""How fast a data module yields batches."""

import time
from pathlib import Path

import numpy as np

from glow.data import NPZ, Augmentation, ImageDataModule

AUGMENTATIONS = {
    "unchanged": Augmentation(),
    "shifted": Augmentation(max_shift=0.1),
    "shifted and mirrored": Augmentation(max_shift=0.1, flip=True),
}


def loading_speeds(data: ImageDataModule, n_rounds: int) -> dict[str, list[float]]:
    """Read all training images repeatedly, as training does.

    The augmentations alternate, and one round before the first is not counted.

    Args:
        data: The data module, after ``setup``.
        n_rounds: The number of rounds.

    Returns:
        Images per second in every round, by augmentation.
    """
    speeds: dict[str, list[float]] = {name: [] for name in AUGMENTATIONS}
    for turn in range(n_rounds + 1):
        for name, augmentation in AUGMENTATIONS.items():
            data.augmentation = augmentation
            start = time.perf_counter()
            n_images = sum(len(images) for images, _ in data.train_dataloader())
            if turn:
                speeds[name].append(n_images / (time.perf_counter() - start))
    return speeds


def random_images(
    folder: Path, n_images: int, image_shape: tuple[int, int, int], batch_size: int, seed: int
) -> NPZ:
    """Return a source of random images.

    Args:
        folder: The folder of its file and its cache.
        n_images: The number of training images.
        image_shape: The shape (C,H,W) of an image.
        batch_size: The number of images in a batch.
        seed: The seed of the images.
    """
    images = np.random.default_rng(seed).integers(0, 256, (n_images, *image_shape), dtype=np.uint8)
    np.savez(folder / "train.npz", images=images)
    return NPZ(
        root=str(folder),
        cache_dir=str(folder / "cache"),
        image_shape=image_shape,
        batch_size=batch_size,
        seed=seed,
    )
