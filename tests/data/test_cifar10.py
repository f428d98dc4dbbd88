import threading
import time
from concurrent.futures import ThreadPoolExecutor
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
def any_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torchvision accept files whose checksums are not those of the real ones."""
    monkeypatch.setattr(
        "torchvision.datasets.cifar.check_integrity", lambda path, md5: Path(path).is_file()
    )


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.usefixtures("any_checksum")
def test_both_layouts_give_the_same_images(layout: str, tmp_path: Path) -> None:
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


@pytest.mark.usefixtures("any_checksum")
def test_pixels_of_torchvisions_files_stay_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar10_batches(tmp_path)
    image = torch.randint(256, (3, 32, 32), dtype=torch.uint8)
    rows = image.permute(1, 2, 0).numpy()[None]
    monkeypatch.setattr(
        "glow.data.cifar10.TorchvisionCIFAR10",
        type(
            "Fake",
            (),
            {
                "__init__": lambda *_, **__: None,
                "base_folder": "cifar-10-batches-py",
                "data": rows,
                "targets": [3],
            },
        ),
    )
    [(images, labels)] = CIFAR10(root=str(tmp_path)).decode("test")
    assert torch.equal(images[0], image)
    assert labels.tolist() == [3]


def test_the_classes_are_in_the_official_order() -> None:
    assert list(CLASSES) == sorted(CLASSES)
    assert CIFAR10().label_names[3] == "cat"


def test_the_validation_images_are_always_the_same(tmp_path: Path) -> None:
    write_cifar10_pictures(tmp_path)
    first = cifar10(tmp_path).dataset("val").images
    again = cifar10(tmp_path, cache_dir=str(tmp_path / "other"), seed=5).dataset("val").images
    assert torch.equal(first, again)


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.usefixtures("any_checksum")
def test_another_number_of_validation_images_decodes_again(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    for n_val in (10, 5, 0):
        assert len(cifar10(tmp_path, n_val=n_val).dataset("val")) == n_val


def test_missing_files_raise_with_instructions(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        cifar10(tmp_path)
    for way in ("cifar-10-batches-py", "cifar10/train/<class>", "data.root", "data.download"):
        assert way in str(error.value)


def test_a_failed_download_raises_with_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", no_network)
    with pytest.raises(FileNotFoundError, match=r"no route to host.*data\.root"):
        cifar10(tmp_path, download=True)


@pytest.mark.usefixtures("any_checksum")
def test_processes_that_start_at_once_download_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One starts when nothing is there, one when only half of the files are."""
    write_cifar10_batches(tmp_path / "site")
    half_way = threading.Event()
    downloads = []

    def slow_download(url: str, root: str, **kwargs: object) -> None:
        downloads.append(url)
        folder = Path(root) / "cifar-10-batches-py"
        folder.mkdir()
        for path in sorted((tmp_path / "site" / folder.name).iterdir()):
            path.rename(folder / path.name)
            half_way.set()
            time.sleep(0.05)

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", slow_download)
    root = tmp_path / "data"
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(cifar10, root, download=True) for _ in range(2)]
        assert half_way.wait(timeout=60)
        runs.append(pool.submit(cifar10, root, download=True))
        assert [len(run.result().dataset("train")) for run in runs] == [30, 30, 30]
    assert len(downloads) == 1
    assert not (root / "cifar-10-batches-py.lock").exists()


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.usefixtures("any_checksum")
def test_nothing_is_locked_if_the_files_are_there(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[layout](tmp_path)
    monkeypatch.setattr("glow.data.download.FileLock", None)
    assert len(cifar10(tmp_path, download=True).dataset("train")) == 30


def test_torchvisions_files_with_wrong_checksums_raise(tmp_path: Path) -> None:
    write_cifar10_batches(tmp_path)
    with pytest.raises(ValueError, match=r"cifar-10-batches-py are broken or incomplete: delete"):
        cifar10(tmp_path)


def test_a_picture_of_another_size_is_named(tmp_path: Path) -> None:
    write_cifar10_pictures(tmp_path)
    paint(tmp_path / "cifar10" / "train" / "dog" / "big.png", 0, (64, 48))
    message = r"1 picture cannot be used \(train/dog/big.png: it is 64x48 instead of 32x32"
    with pytest.raises(ValueError, match=message):
        cifar10(tmp_path)


def test_a_picture_of_an_unknown_class_is_named(tmp_path: Path) -> None:
    write_cifar10_pictures(tmp_path)
    paint(tmp_path / "cifar10" / "train" / "lion" / "x.png", 0)
    with pytest.raises(ValueError, match=r"lion/x.png must be in a folder of one of CIFAR-10's"):
        cifar10(tmp_path)


def test_another_image_shape_raises() -> None:
    message = r"must be \(3, 32, 32\) for CIFAR-10, got \(1, 32, 32\)"
    with pytest.raises(ValueError, match=message):
        CIFAR10(image_shape=(1, 32, 32))


def test_a_wrong_number_of_classes_raises(tmp_path: Path) -> None:
    write_cifar10_pictures(tmp_path)
    message = r"data\.n_classes must be 10, .* \(airplane, automobile, .*, got 20"
    with pytest.raises(ValueError, match=message):
        cifar10(tmp_path, n_classes=20)


def test_validating_on_all_training_images_raises(tmp_path: Path) -> None:
    write_cifar10_pictures(tmp_path)
    with pytest.raises(ValueError, match="some of the 40 training images, got val=40"):
        cifar10(tmp_path, n_val=40)
