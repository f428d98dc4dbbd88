import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from glow.data import MNIST, FashionMNIST, PaddedMNIST
from tests.data.pictures import write_idx, write_mnist


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the four files of MNIST."""
    write_mnist(tmp_path)
    return tmp_path


def test_the_official_test_images_are_the_test_split(root: Path) -> None:
    data = MNIST(root=str(root), download=False, n_val=8, batch_size=4)
    data.prepare_data()
    data.setup()
    indices = {split: dataset.images[:, 0, 0, 0] for split, dataset in data.datasets.items()}
    assert indices["test"].tolist() == list(range(10))
    assert len(indices["val"]) == 8
    both = torch.cat([indices["train"], indices["val"]])
    assert sorted(both.tolist()) == list(range(40))
    for split, dataset in data.datasets.items():
        assert torch.equal(dataset.labels, indices[split].long() % 10)


def test_training_on_all_images_needs_no_validation_images(root: Path) -> None:
    data = MNIST(root=str(root), download=False, n_val=0, batch_size=4)
    data.setup()
    assert [len(dataset) for dataset in data.datasets.values()] == [40, 0, 10]
    assert data.val_dataloader() == []


def test_missing_files_raise_with_instructions(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        MNIST(root=str(tmp_path), download=False).prepare_data()
    for way in (str(tmp_path / "MNIST" / "raw"), "data.root", "data.download", "digits"):
        assert way in str(error.value)


def test_a_failed_download_raises_with_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    with pytest.raises(FileNotFoundError, match=r"no route to host.*data\.root"):
        MNIST(root=str(tmp_path), download=True).prepare_data()


def test_complete_files_are_neither_downloaded_nor_locked(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    monkeypatch.setattr("glow.data.download.FileLock", None)
    MNIST(root=str(root), download=True).prepare_data()


def test_processes_that_start_at_once_download_once(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two start when nothing is there, one when all files exist, but the last one is empty."""
    last_is_empty = threading.Event()
    downloads = []

    def slow_download(url: str, download_root: str, filename: str, md5: str) -> None:
        downloads.append(filename)
        target = Path(download_root) / Path(filename).stem
        target.touch()
        if filename.startswith("t10k-labels"):
            last_is_empty.set()
        time.sleep(0.1)
        target.write_bytes((root / "MNIST" / "raw" / target.name).read_bytes())

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", slow_download)
    data = MNIST(root=str(tmp_path / "data"), download=True, n_val=8, batch_size=4)
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(data.prepare_data) for _ in range(2)]
        assert last_is_empty.wait(timeout=60)
        runs.append(pool.submit(data.prepare_data))
        for run in runs:
            run.result()
    assert len(downloads) == len(set(downloads)) == 4
    data.setup()
    assert len(data.dataset("train")) == 32
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["MNIST"]


def test_fashion_mnist_has_another_folder(tmp_path: Path) -> None:
    write_mnist(tmp_path, "FashionMNIST")
    data = FashionMNIST(root=str(tmp_path), download=False, n_val=8, batch_size=4)
    data.prepare_data()
    data.setup()
    assert data.label_names[9] == "Ankle boot"
    assert len(data.dataset("train")) == 32
    with pytest.raises(FileNotFoundError, match=r"FashionMNIST is not in .*FashionMNIST/raw"):
        FashionMNIST(root=str(tmp_path / "nowhere"), download=False).prepare_data()


@pytest.mark.parametrize("content", [b"", b"<html>quota</html>", bytes(20)])
def test_broken_files_raise(root: Path, content: bytes) -> None:
    (root / "MNIST" / "raw" / "train-images-idx3-ubyte").write_bytes(content)
    data = MNIST(root=str(root), download=False, n_val=8, batch_size=4)
    with pytest.raises(ValueError, match=r"files in .*MNIST/raw are broken .* delete them and"):
        data.prepare_data()


def test_images_without_labels_raise(root: Path) -> None:
    write_idx(root / "MNIST" / "raw" / "train-labels-idx1-ubyte", np.zeros(39))
    data = MNIST(root=str(root), download=False, n_val=8, batch_size=4)
    with pytest.raises(ValueError, match="got 40 images and 39 labels"):
        data.setup()


def test_truncated_files_raise(root: Path) -> None:
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"MNIST/raw are broken \(.+\): delete them"):
        MNIST(root=str(root), download=False).prepare_data()


def test_padded_mnist_is_mnist_in_the_middle_of_three_channels(root: Path) -> None:
    pixels = np.random.default_rng(0).integers(256, size=(40, 28, 28))
    write_idx(root / "MNIST" / "raw" / "train-images-idx3-ubyte", pixels)
    plain, padded = (
        source(root=str(root), download=False, n_val=5, batch_size=4)
        for source in (MNIST, PaddedMNIST)
    )
    for data in (plain, padded):
        data.prepare_data()
        data.setup()
    images, labels = padded.dataset("val")[:5]
    expected, expected_labels = plain.dataset("val")[:5]
    assert images.shape == (5, 3, 32, 32)
    assert torch.equal(labels, expected_labels)
    for channel in images.unbind(1):
        assert torch.equal(channel[:, 2:-2, 2:-2], expected[:, 0])
    assert images.sum() == 3 * expected.sum()  # the margin is black
