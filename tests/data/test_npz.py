from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glow.data import NPZ
from tests.data.test_celeba import PAGE

SHAPE = (3, 4, 6)


def images(start: int, n: int) -> np.ndarray:
    """Return n different images, (n,3,4,6); the first pixel numbers them."""
    values = np.random.default_rng(start).integers(0, 256, (n, *SHAPE), dtype=np.uint8)
    values[:, 0, 0, 0] = np.arange(start, start + n)
    return values


def npz(root: Path, **options: Any) -> NPZ:
    cache = root.parent / f"{root.name}_cache"
    settings = {"image_shape": SHAPE, "batch_size": 2, "cache_dir": str(cache)}
    data = NPZ(root=str(root), **{**settings, **options})
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "arrays").mkdir()
    return tmp_path / "arrays"


def numbers(data: NPZ, split: str) -> list[int]:
    return data.dataset(split).images[:, 0, 0, 0].tolist()


def test_imagenet_as_it_is_distributed(root: Path) -> None:
    """Flat rows in files that are numbered, labels from 1, and no test files."""
    for i in range(3):
        flat = images(40 * i, 40).reshape(40, -1)
        labels = np.arange(40) % 8 + 1
        np.savez(root / f"train_data_batch_{i + 1}.npz", data=flat, labels=labels, mean=0.5)
    np.savez(root / "val_data.npz", data=images(200, 5).reshape(5, -1), labels=np.full(5, 8))
    data = npz(root, n_classes=8, first_label=1, val=None, test="val*.npz")
    assert numbers(data, "test") == list(range(200, 205))
    assert data.dataset("test").labels.tolist() == [7] * 5
    everything = np.concatenate([images(40 * i, 40) for i in range(3)])
    for split in ("train", "val"):
        dataset = data.dataset(split)
        assert np.array_equal(dataset.images, everything[numbers(data, split)])
        assert dataset.labels.tolist() == [number % 8 for number in numbers(data, split)]
    assert sorted(numbers(data, "train") + numbers(data, "val")) == list(range(120))
    assert len(data.dataset("val")) == 6


@pytest.mark.parametrize("layout", ["NCHW", "NHWC", "flat"])
def test_every_layout_gives_the_same_images(layout: str, root: Path) -> None:
    whole = images(0, 60)
    arrays = {"NCHW": whole, "NHWC": whole.transpose(0, 2, 3, 1), "flat": whole.reshape(60, -1)}
    np.savez_compressed(root / "train.npz", arr_0=arrays[layout])
    data = npz(root)
    for split, dataset in data.datasets.items():
        assert np.array_equal(dataset.images, whole[numbers(data, split)])
    assert [len(d) for d in data.datasets.values()] == [54, 3, 3]


def test_grey_images_need_no_channel(root: Path) -> None:
    np.savez(root / "one.npz", x=images(0, 40)[:, 0], y=np.arange(40) % 2)
    data = npz(root / "one.npz", image_shape=(1, 4, 6), n_classes=2)
    numbered = {split: numbers(data, split) for split in ("train", "val", "test")}
    assert sorted(chain(*numbered.values())) == list(range(40))
    for split, values in numbered.items():
        assert torch.equal(data.dataset(split).labels, torch.tensor(values) % 2)


def test_a_changed_file_or_setting_builds_anew(root: Path) -> None:
    np.savez(root / "train.npz", images=images(0, 40), labels=np.arange(40) % 2)
    assert npz(root).dataset("train").labels.sum() == 0
    assert npz(root, n_classes=2).dataset("train").labels.sum() > 0
    first = npz(root, n_classes=3).dataset("train").labels
    assert torch.equal(npz(root, n_classes=3, first_label=-1).dataset("train").labels, first + 1)
    np.savez(root / "train.npz", images=images(100, 41), labels=np.arange(41) % 2)
    assert min(numbers(npz(root), "train")) >= 100
    np.savez(root / "extra.npz", images=images(0, 5))
    assert len(npz(root, test="extra.npz").dataset("train")) == 39  # no test images cut from it


def test_files_are_in_the_order_of_their_numbers(root: Path) -> None:
    for i in range(1, 12):
        np.savez(root / f"train_{i}.npz", images=images(10 * i, 2))
    np.savez(root / "val.npz", images=images(0, 2))
    data = npz(root, test="val.npz", val="val.npz")
    assert numbers(data, "train") == [10 * i + j for i in range(1, 12) for j in range(2)]


def test_no_file_is_both_trained_and_tested_on(root: Path) -> None:
    np.savez(root / "a.npz", images=images(0, 40))
    with pytest.raises(
        ValueError, match=r"a\.npz matches both data\.train=\*\.npz and data\.test=a"
    ):
        npz(root, train="*.npz", test="a*.npz")
    with pytest.raises(ValueError, match=r"data\.train is a pattern of names in data\.root"):
        npz(root, train="/*.npz")


def told(root: Path, message: str, arrays: dict[str, Any], **options: Any) -> None:
    np.savez(root / "train.npz", **arrays)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        npz(root, **options)


def test_what_is_no_array_of_images_is_told(root: Path) -> None:
    whole = images(0, 40)
    told(root, "must be uint8, 0 to 255, but are float64", {"images": whole / 255})
    told(root, r"image_shape is \(3, 4, 6\), but .* is \(40, 1, 4, 6\)", {"images": whole[:, :1]})
    told(root, r"has the arrays faces, but none is called images", {"faces": whole})
    several = np.empty(2, dtype=object)
    several[:] = [whole[0], whole[1, :, :2]]
    told(root, "holds Python objects, such as images of several sizes", {"images": several})
    labelled = {"images": whole, "labels": np.arange(40) % 4}
    told(root, "none is called labels", {"images": whole}, n_classes=2)
    told(root, r"40 images, but labels \(4,\)", {**labelled, "labels": np.arange(4)}, n_classes=4)
    told(root, "must be integers, but are <U1", {**labelled, "labels": ["a"] * 40}, n_classes=4)
    told(root, "labels from 0 to 3; they must lie from 0 to 1", labelled, n_classes=2)
    told(root, "labels from -1 to 2", labelled, n_classes=4, first_label=1)
    told(root, "val split: there are no images in it", {"images": whole[:9]})
    told(root, "34 images .* are too few for a batch of 35", {"images": whole[:36]}, batch_size=35)


def test_what_is_no_file_is_told(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file in .*arrays matches data\.train=train"):
        npz(root)
    np.savez(root / "pictures.npz", images=images(0, 40))
    with pytest.raises(FileNotFoundError, match=r"there are pictures\.npz\. Set data\.root"):
        npz(root)
    whole = (root / "pictures.npz").read_bytes()
    (root / "train.npz").write_text(PAGE)
    with pytest.raises(ValueError, match=r"train.npz is a web page, not a zip archive"):
        npz(root)
    (root / "train.npz").write_bytes(whole[:-50])
    with pytest.raises(ValueError, match=r"train.npz is no whole zip archive"):
        npz(root)
    (root / "train.npz").write_bytes(whole[:1000] + bytes(100) + whole[1100:])
    with pytest.raises(ValueError, match=r"train.npz is broken \("):
        npz(root)
