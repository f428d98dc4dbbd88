from pathlib import Path

import numpy as np
import pytest
import torch

from glow.data import MNIST


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write an array in MNIST's own format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tiny MNIST: images whose every pixel is their index."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix, size in (("train", 40), ("t10k", 10)):
        index = np.arange(size)
        images = np.broadcast_to(index[:, None, None], (size, 28, 28))
        write_idx(raw / f"{prefix}-images-idx3-ubyte", images)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", index % 10)
    return tmp_path


def test_the_official_test_set_is_the_test_set(root: Path) -> None:
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


def test_absent_files_name_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as told:
        MNIST(root=str(tmp_path), download=False).prepare_data()
    for way in (str(tmp_path / "MNIST" / "raw"), "data.root", "data.download", "digits"):
        assert way in str(told.value)


def test_a_failed_download_names_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    with pytest.raises(FileNotFoundError, match=r"no route to host.*data\.root"):
        MNIST(root=str(tmp_path), download=True).prepare_data()


def test_what_is_there_is_not_downloaded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    MNIST(root=str(root), download=True).prepare_data()
