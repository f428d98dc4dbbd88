"""Files and folders that systems add are neither pictures nor classes nor splits."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from glow.data import CIFAR10, NPZ
from tests.data.folders import folder
from tests.data.pictures import paint, write_cifar10_pictures

FILES = (
    *("Thumbs.db", "THUMBS.DB", "thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"),
    *(".DS_Store", "._x.png", ".hidden.png", "Icon\r", "Picasa.ini", ".picasa.ini", "~$x.png"),
)
FOLDERS = (
    *("__MACOSX", "__macosx", ".ipynb_checkpoints", "@eaDir", "@EADIR", "$RECYCLE.BIN", ".git"),
    *("System Volume Information", "#recycle", "lost+found", ".Trash-1000", ".thumbnails"),
)


def litter(folder: Path) -> None:
    """Add every file and folder that a system may add; some of them hold broken pictures."""
    for name in FILES:
        (folder / name).write_bytes(b"\0\5\x16\7")
    for name in FOLDERS:
        (folder / name / "train").mkdir(parents=True, exist_ok=True)
        (folder / name / "train" / "x.png").write_bytes(b"\x89PNG")
        (folder / name / "._x.png").write_bytes(b"\0\5\x16\7")


@pytest.mark.parametrize("n_classes", [0, 2])
def test_they_are_not_in_a_folder_of_pictures(n_classes: int, tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    for i in range(100):
        paint(root / "ab"[i % 2] / f"{i}.png", i)
    for place in (root, root / "a", root / "b"):
        litter(place)
    data = folder(tmp_path, n_classes=n_classes)
    data.prepare_data()
    data.setup()
    values = (dataset.images[:, 0, 0, 0].tolist() for dataset in data.datasets.values())
    assert sorted(chain(*values)) == list(range(100))


def test_they_are_not_next_to_the_splits(tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    for name in ("train", "val", "test"):
        paint(root / "wrapper" / name / "x.png", 1)
        litter(root / "wrapper" / name)
    litter(root / "wrapper")
    litter(root)
    data = folder(tmp_path)
    data.prepare_data()
    data.setup()
    assert [len(dataset) for dataset in data.datasets.values()] == [1, 1, 1]


def test_they_are_not_in_cifar10(tmp_path: Path) -> None:
    write_cifar10_pictures(tmp_path)
    for name in ("train", "test", "train/cat"):
        litter(tmp_path / "cifar10" / name)
    (tmp_path / "cifar10" / "train" / "README.txt").write_text("a text")
    data = CIFAR10(root=str(tmp_path), cache_dir=str(tmp_path / "cache"), n_val=10, batch_size=2)
    data.prepare_data()
    data.setup()
    assert [len(dataset) for dataset in data.datasets.values()] == [30, 10, 10]


def test_they_are_not_arrays(tmp_path: Path) -> None:
    root = tmp_path / "arrays"
    root.mkdir()
    np.savez(root / "train.npz", images=np.zeros((40, 3, 4, 4), np.uint8))
    (root / "._train.npz").write_bytes(b"\0\5\x16\7")
    data = NPZ(
        root=str(root),
        train="*.npz",
        cache_dir=str(tmp_path / "cache"),
        image_shape=(3, 4, 4),
        batch_size=2,
    )
    data.prepare_data()
    data.setup()
    assert len(data.dataset("train")) == 36
