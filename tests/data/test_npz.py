import pickle
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glow.data import NPZ
from tests.data.pictures import QUOTA_PAGE

SHAPE = (3, 4, 6)


def images(start: int, n: int) -> np.ndarray:
    """Return n different images, (n,3,4,6), whose first pixel value is their number."""
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
    """An empty folder for npz files."""
    (tmp_path / "arrays").mkdir()
    return tmp_path / "arrays"


def numbers(data: NPZ, split: str) -> list[int]:
    return data.dataset(split).images[:, 0, 0, 0].tolist()


def test_the_files_of_imagenet_are_read(root: Path) -> None:
    """They hold flat rows and labels from 1, are numbered, and none is for testing."""
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


def test_gray_images_need_no_channel(root: Path) -> None:
    np.savez(root / "one.npz", x=images(0, 40)[:, 0], y=np.arange(40) % 2)
    data = npz(root / "one.npz", image_shape=(1, 4, 6), n_classes=2)
    by_split = {split: numbers(data, split) for split in ("train", "val", "test")}
    assert sorted(chain(*by_split.values())) == list(range(40))
    for split, values in by_split.items():
        assert torch.equal(data.dataset(split).labels, torch.tensor(values) % 2)


def test_a_changed_file_or_setting_is_read_again(root: Path) -> None:
    np.savez(root / "train.npz", images=images(0, 40), labels=np.arange(40) % 2)
    assert npz(root).dataset("train").labels.sum() == 0
    assert npz(root, n_classes=2).dataset("train").labels.sum() > 0
    first = npz(root, n_classes=3).dataset("train").labels
    assert torch.equal(npz(root, n_classes=3, first_label=-1).dataset("train").labels, first + 1)
    np.savez(root / "train.npz", images=images(100, 41), labels=np.arange(41) % 2)
    assert min(numbers(npz(root), "train")) >= 100
    np.savez(root / "extra.npz", images=images(0, 5))
    # 2 of 41 images are for validation, and none are taken for testing.
    assert len(npz(root, test="extra.npz").dataset("train")) == 39


def test_files_are_in_the_order_of_their_numbers(root: Path) -> None:
    for i in range(1, 12):
        np.savez(root / f"train_{i}.npz", images=images(10 * i, 2))
    np.savez(root / "val.npz", images=images(0, 2))
    data = npz(root, test="val.npz", val="val.npz")
    assert numbers(data, "train") == [10 * i + j for i in range(1, 12) for j in range(2)]


def test_training_and_testing_on_the_same_file_raises(root: Path) -> None:
    np.savez(root / "a.npz", images=images(0, 40))
    message = r"same file, got .*a\.npz for data\.train=\*\.npz and data\.test=a"
    with pytest.raises(ValueError, match=message):
        npz(root, train="*.npz", test="a*.npz")


def test_an_absolute_pattern_raises(root: Path) -> None:
    message = r"data\.train must be a pattern for names in data\.root, .* got /\*\.npz"
    with pytest.raises(ValueError, match=message):
        npz(root, train="/*.npz")


WHOLE = images(0, 40)
DIFFERENT_SIZES = np.empty(2, dtype=object)
DIFFERENT_SIZES[:] = [WHOLE[0], WHOLE[1, :, :2]]
LABELED = {"images": WHOLE, "labels": np.arange(40) % 4}


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"images": WHOLE / 255}, {}, "must be uint8, from 0 to 255, got float64"),
        ({"images": WHOLE[:, :1]}, {}, r"image_shape=\(3, 4, 6\), got \(40, 1, 4, 6\)"),
        ({"faces": WHOLE}, {}, "must have an array named images, .* got faces"),
        ({"images": DIFFERENT_SIZES}, {}, "Python objects, such as images of several sizes"),
        ({"images": WHOLE}, {"n_classes": 2}, "must have an array named labels, .* got images"),
        (
            {**LABELED, "labels": np.arange(4)},
            {"n_classes": 4},
            r"the 40 images must have labels .* got \(4,\)",
        ),
        ({**LABELED, "labels": ["a"] * 40}, {"n_classes": 4}, "must be integers, got <U1"),
        (LABELED, {"n_classes": 2}, "must be from 0 to 1, .* got labels from 0 to 3"),
        (LABELED, {"n_classes": 4, "first_label": 1}, "got labels from -1 to 2"),
        ({"images": WHOLE[:9]}, {}, "val split: there are no images in it"),
        ({"images": WHOLE[:36]}, {"batch_size": 35}, "batch_size must be at most 34, .* got 35"),
    ],
)
def test_arrays_that_are_not_images_and_labels_raise(
    root: Path, arrays: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    np.savez(root / "train.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        npz(root, **options)


def test_missing_files_raise_with_instructions(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file in .*arrays matches data\.train=train"):
        npz(root)
    np.savez(root / "pictures.npz", images=images(0, 40))
    with pytest.raises(FileNotFoundError, match=r"there are pictures\.npz\. Set data\.root"):
        npz(root)


def test_broken_files_raise(root: Path) -> None:
    path = root / "train.npz"
    np.savez(path, images=images(0, 40))
    whole = path.read_bytes()
    path.write_text(QUOTA_PAGE)
    with pytest.raises(ValueError, match=r"train.npz is a web page, not a zip archive"):
        npz(root)
    path.write_bytes(whole[:-50])
    with pytest.raises(ValueError, match=r"train.npz is not a complete zip archive"):
        npz(root)
    path.write_bytes(whole[:1000] + bytes(100) + whole[1100:])
    with pytest.raises(ValueError, match=r"train.npz is broken \("):
        npz(root)


def test_pickled_batches_are_read(root: Path) -> None:
    for i in range(2):
        flat = images(40 * i, 40).reshape(40, -1)
        batch = {"data": flat, "labels": (np.arange(40) % 8 + 1).tolist(), "mean": flat.mean(0)}
        (root / f"train_data_batch_{i + 1}").write_bytes(pickle.dumps(batch, protocol=2 + 3 * i))
    (root / "val_data").write_bytes(pickle.dumps({"data": images(200, 5), "labels": [8] * 5}))
    patterns = {"train": "train_data_batch_*", "val": None, "test": "val_data"}
    data = npz(root, n_classes=8, first_label=1, **patterns)
    assert numbers(data, "test") == list(range(200, 205))
    assert data.dataset("test").labels.tolist() == [7] * 5
    dataset = data.dataset("train")
    everything = np.concatenate([images(40 * i, 40) for i in range(2)])
    assert np.array_equal(dataset.images, everything[numbers(data, "train")])
    assert dataset.labels.tolist() == [number % 8 for number in numbers(data, "train")]


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("touched"),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            pickle.dumps({"data": Malicious()}),
            r"it contains .*, which is no array",
        ),
        (pickle.dumps([1, 2]), "must hold a dict of arrays, got list"),
        (pickle.dumps({"data": 1})[:-4], "neither an npz file nor a pickled dict of arrays"),
        (b"\x00\x01\x02", "neither an npz file nor a pickled dict of arrays"),
        (pickle.dumps({"pixels": 1}), "must have an array named images, data, x or arr_0, got pix"),
    ],
)
def test_other_pickles_raise_and_run_nothing(
    content: bytes, message: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root / "train_batch").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        npz(root, train="train_batch")
    assert not (root / "touched").exists()
