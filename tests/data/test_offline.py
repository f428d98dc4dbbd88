"""No source uses the network unless a download is allowed."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from glow.data import ImageDataModule
from tests.data.pictures import (
    paint,
    write_celeba,
    write_cifar10_batches,
    write_cifar10_pictures,
    write_mnist,
)

CONF = Path(__file__).parents[2] / "conf"


def write_folder(root: Path) -> None:
    for i in range(100):
        paint(root / f"{i}.png", i)


def write_npz(root: Path) -> None:
    root.mkdir()
    np.savez(root / "train.npz", images=np.zeros((40, 3, 32, 32), np.uint8))


# How to write the files of every config in conf/data.
WRITERS: dict[str, Callable[[Path], None]] = {
    "celeba": write_celeba,
    "cifar10": write_cifar10_pictures,
    "digits": lambda root: None,  # they are in scikit-learn
    "fashion_mnist": lambda root: write_mnist(root, "FashionMNIST"),
    "folder": write_folder,
    "mnist": write_mnist,
    "mnist_padded": write_mnist,
    "npz": write_npz,
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def source(name: str, root: Path) -> ImageDataModule:
    """Instantiate a config of conf/data with other folders, few images and without downloads."""
    wanted = {
        "root": str(root),
        "cache_dir": str(root.parent / "cache"),
        "download": False,
        "n_val": 10,
        "batch_size": 4,
    }
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("prepare_data", [f"data={name}"]).data
    for option in set(wanted) & set(config):
        config[option] = wanted[option]
    return instantiate(config)


def test_every_source_is_tested() -> None:
    assert sorted(path.stem for path in (CONF / "data").glob("*.yaml")) == sorted(WRITERS)


@pytest.mark.parametrize("name", WRITERS)
def test_files_are_read_without_the_network(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / "root")
    data = source(name, tmp_path / "root")
    data.prepare_data()
    data.setup()
    assert all(len(dataset) for dataset in data.datasets.values())
    assert next(iter(data.train_dataloader()))[0].shape == (4, *data.image_shape)
    assert len(data.label_names) in (data.n_classes, 40)


@pytest.mark.parametrize("name", sorted(set(WRITERS) - {"digits"}))
def test_missing_files_raise_with_instructions(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"data\.root"):
        source(name, tmp_path / "nowhere").prepare_data()


def test_torchvisions_files_are_read_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *args: True)
    write_cifar10_batches(tmp_path / "root")
    source("cifar10", tmp_path / "root").prepare_data()
