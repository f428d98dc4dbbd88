"""Small data sets in the formats of the real ones; the value of a pixel says which image it is."""

import pickle
from pathlib import Path

import numpy as np
from PIL import Image

from glow.data.cifar10 import CLASSES

ATTRIBUTES = [f"Attribute_{i}" for i in range(39)] + ["Smiling"]
# What a file host may send instead of an archive.
QUOTA_PAGE = "<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>"


def paint(path: Path, value: int, size: tuple[int, int] = (4, 4), mode: str = "L") -> None:
    """Write a picture of one gray value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).convert(mode).save(path)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write an array in the file format of MNIST."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_mnist(root: Path, name: str = "MNIST") -> None:
    """Write 40 training and 10 test images in the format of MNIST; all pixels are the index."""
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for prefix, size in (("train", 40), ("t10k", 10)):
        index = np.arange(size)
        images = np.broadcast_to(index[:, None, None], (size, 28, 28))
        write_idx(raw / f"{prefix}-images-idx3-ubyte", images)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", index % 10)


def write_cifar10_pictures(root: Path) -> None:
    """Write CIFAR-10 as folders of pictures: 4 of each class for training, 1 for testing."""
    for label, name in enumerate(CLASSES):
        for i in range(4):
            paint(root / "cifar10" / "train" / name / f"{i}.png", 10 * i + label, (32, 32), "RGB")
        paint(root / "cifar10" / "test" / name / "0.png", 100 + label, (32, 32), "RGB")


def write_cifar10_batches(root: Path) -> None:
    """Write the same images in torchvision's files; their checksums are not the official ones."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    parts = {f"data_batch_{i + 1}": np.arange(8 * i, 8 * i + 8) for i in range(5)}
    for name, values in {**parts, "test_batch": np.arange(100, 110)}.items():
        data = np.repeat(values[:, None], 3072, axis=1).astype(np.uint8)
        entry = {"data": data, "labels": (values % 10).tolist()}
        (folder / name).write_bytes(pickle.dumps(entry))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}))


def write_celeba(root: Path, n: int = 30) -> None:
    """Write n pictures as CelebA: six of ten are for training, two for validation, two for testing.

    Picture i has the gray value i, and smiles if i is even.
    """
    folder = root / "celeba"
    attributes, partition = [str(n), " ".join(ATTRIBUTES)], []
    for i in range(n):
        paint(folder / "img_align_celeba" / f"{i:06d}.jpg", i, (178, 218), "RGB")
        values = ["-1"] * 39 + [" 1" if i % 2 == 0 else "-1"]
        attributes.append(f"{i:06d}.jpg {' '.join(values)}")
        partition.append(f"{i:06d}.jpg {max(0, i % 10 // 2 - 2)}")
    (folder / "list_attr_celeba.txt").write_text("\n".join(attributes) + "\n")
    (folder / "list_eval_partition.txt").write_text("\n".join(partition) + "\n")
