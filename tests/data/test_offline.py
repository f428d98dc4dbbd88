"""No source touches the network unless it is asked to."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from glow.data import ImageDataModule
from tests.conftest import ROOT
from tests.data.pictures import (
    paint,
    write_celeba,
    write_cifar10_batches,
    write_cifar10_pictures,
    write_mnist,
)

DOWNLOADED = ("mnist", "mnist_padded", "fashion_mnist", "cifar10")
SOURCES = sorted(path.stem for path in (ROOT / "conf" / "data").glob("*.yaml"))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def source(name: str, root: Path, *overrides: str) -> ImageDataModule:
    overrides = (f"data={name}", *overrides)
    if name != "digits":
        overrides += (f"data.root={root}",)
    if name in DOWNLOADED:
        overrides += ("data.download=false", "data.n_val=10")
    if name in ("npz", "folder", "celeba", "cifar10"):
        overrides += (f"data.cache_dir={root.parent / 'cache'}",)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("prepare_data", ["data.batch_size=4", *overrides])
    return instantiate(config.data)


def write(name: str, root: Path) -> None:
    root.mkdir()
    if name in ("mnist", "mnist_padded"):
        write_mnist(root)
    elif name == "fashion_mnist":
        write_mnist(root, "FashionMNIST")
    elif name == "cifar10":
        write_cifar10_pictures(root)
    elif name == "celeba":
        write_celeba(root)
    elif name == "folder":
        for i in range(100):
            paint(root / f"{i}.png", i)
    elif name == "npz":
        np.savez(root / "train.npz", images=np.zeros((40, 3, 32, 32), np.uint8))


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_there_is_read(name: str, tmp_path: Path) -> None:
    write(name, tmp_path / "root")
    data = source(name, tmp_path / "root")
    data.prepare_data()
    data.setup()
    assert all(len(dataset) for dataset in data.datasets.values())
    assert next(iter(data.train_dataloader()))[0].shape == (4, *data.image_shape)
    assert len(data.label_names) in (data.n_classes, 40)


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "digits"])
def test_what_is_absent_is_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"data\.root"):
        source(name, tmp_path / "nowhere").prepare_data()


def test_torchvisions_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *args: True)
    write_cifar10_batches(tmp_path / "root")
    source("cifar10", tmp_path / "root").prepare_data()
