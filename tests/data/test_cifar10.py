from pathlib import Path
from typing import Any

import pytest
import torch

from glow.data import CIFAR10
from glow.data.cifar10 import CLASSES
from tests.data.pictures import paint, write_cifar10_batches, write_cifar10_pictures

WRITERS = {"pictures": write_cifar10_pictures, "batches": write_cifar10_batches}


def cifar10(tmp_path: Path, **options: Any) -> CIFAR10:
    settings = {"cache_dir": str(tmp_path / "cache"), "download": False, "n_val": 10}
    data = CIFAR10(root=str(tmp_path), batch_size=4, **{**settings, **options})
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torchvision take files whose checksums are not those of the real ones."""
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *args: True)


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.usefixtures("trusting")
def test_either_layout_gives_the_same_images(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    data = cifar10(tmp_path)
    values = {split: dataset.images[:, 0, 0, 0] for split, dataset in data.datasets.items()}
    assert {split: len(v) for split, v in values.items()} == {"train": 30, "val": 10, "test": 10}
    assert sorted(torch.cat([values["train"], values["val"]]).tolist()) == list(range(40))
    assert sorted(values["test"].tolist()) == list(range(100, 110))
    for split, dataset in data.datasets.items():
        assert dataset.images.shape[1:] == (3, 32, 32)
        assert torch.equal(dataset.labels, values[split].long() % 10)
        assert (dataset.images == dataset.images[:, :1, :1, :1]).all()


@pytest.mark.usefixtures("trusting")
def test_rows_columns_and_channels_of_batches_stay_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar10_batches(tmp_path)
    image = torch.randint(256, (3, 32, 32), dtype=torch.uint8)
    rows = image.permute(1, 2, 0).numpy()[None]
    monkeypatch.setattr(
        "glow.data.cifar10.TorchvisionCIFAR10",
        type("Fake", (), {"__init__": lambda *_, **__: None, "data": rows, "targets": [3]}),
    )
    [(images, labels)] = CIFAR10(root=str(tmp_path))._decode_batches("test")
    assert torch.equal(images[0], image)
    assert labels.tolist() == [3]


def test_the_classes_are_in_the_official_order(tmp_path: Path) -> None:
    assert list(CLASSES) == sorted(CLASSES)
    assert CIFAR10().label_names[3] == "cat"


def test_the_validation_images_are_always_the_same(tmp_path: Path) -> None:
    write_cifar10_pictures(tmp_path)
    first = cifar10(tmp_path).dataset("val").images
    again = cifar10(tmp_path, cache_dir=str(tmp_path / "other"), seed=5).dataset("val").images
    assert torch.equal(first, again)


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.usefixtures("trusting")
def test_another_number_of_validation_images_decodes_anew(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    for n_val in (10, 5):
        assert len(cifar10(tmp_path, n_val=n_val).dataset("val")) == n_val


def test_what_is_absent_names_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as told:
        cifar10(tmp_path)
    for way in ("cifar-10-batches-py", "cifar10/train/<class>", "data.root", "data.download"):
        assert way in str(told.value)


def test_a_failed_download_names_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", no_network)
    with pytest.raises(FileNotFoundError, match=r"no route to host.*data\.root"):
        cifar10(tmp_path, download=True)


def test_what_is_not_cifar10_is_told(tmp_path: Path) -> None:
    write_cifar10_batches(tmp_path / "a")
    with pytest.raises(ValueError, match=r"cifar-10-batches-py are broken or incomplete: delete"):
        cifar10(tmp_path / "a")
    write_cifar10_pictures(tmp_path / "b")
    paint(tmp_path / "b" / "cifar10" / "train" / "dog" / "big.png", 0, (64, 48))
    with pytest.raises(
        ValueError, match=r"1 pictures cannot be used \(train/dog/big.png: it is 64x48"
    ):
        cifar10(tmp_path / "b")
    paint(tmp_path / "b" / "cifar10" / "train" / "lion" / "x.png", 0)
    with pytest.raises(ValueError, match=r"lion/x.png lies in none of the folders of CIFAR-10's"):
        cifar10(tmp_path / "b")
    with pytest.raises(ValueError, match=r"CIFAR-10 is \(3, 32, 32\), but .* is \(1, 32, 32\)"):
        cifar10(tmp_path / "b", image_shape=(1, 32, 32))
    write_cifar10_pictures(tmp_path / "c")
    with pytest.raises(ValueError, match="is 20, but it has the 10 classes airplane, automobile"):
        cifar10(tmp_path / "c", n_classes=20)
    with pytest.raises(ValueError, match="40 for val cannot be cut from 40 training images"):
        cifar10(tmp_path / "c", n_val=40)
