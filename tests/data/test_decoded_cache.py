import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import BaseFileLock, FileLock

from glow.data.decoded_cache import DecodedCache

IMAGES = torch.randint(0, 256, (10, 3, 4, 5), dtype=torch.uint8)
LABELS = torch.arange(20).view(10, 2)


def cache(folder: Path, **identity: int) -> DecodedCache:
    return DecodedCache(folder, "some", identity)


def build(folder: Path) -> DecodedCache:
    built = cache(folder)
    built.build(lambda: zip(IMAGES.split(4), LABELS.split(4), strict=True), (3, 4, 5))
    return built


def test_images_and_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    images, labels = build(tmp_path).open()
    assert torch.equal(images, IMAGES)
    assert torch.equal(labels, LABELS)


def test_writing_to_opened_images_does_not_change_the_files(tmp_path: Path) -> None:
    images, _ = build(tmp_path).open()
    images[0] = 0
    assert torch.equal(build(tmp_path).open()[0], IMAGES)


def test_a_cache_may_be_empty(tmp_path: Path) -> None:
    empty = cache(tmp_path)
    empty.build(lambda: [], (3, 4, 5))
    images, labels = empty.open()
    assert images.shape == (0, 3, 4, 5)
    assert len(labels) == 0


def test_another_identity_has_another_folder(tmp_path: Path) -> None:
    paths = {cache(tmp_path, **identity).path for identity in ({}, {"a": 1}, {"a": 2}, {"b": 1})}
    assert len(paths) == 4
    assert cache(tmp_path, a=1, b=2).path == cache(tmp_path, b=2, a=1).path


def test_a_failed_build_leaves_no_cache(tmp_path: Path) -> None:
    def failing() -> list[tuple[torch.Tensor, torch.Tensor]]:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        cache(tmp_path).build(failing, (3, 4, 5))
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert torch.equal(build(tmp_path).open()[0], IMAGES)


@pytest.mark.parametrize("name", ["images.bin", "labels.npy", "about.json"])
def test_damaged_files_raise(name: str, tmp_path: Path) -> None:
    built = build(tmp_path)
    path = built.path / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"are damaged .* delete this folder, and they"):
        built.open()
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="are damaged"):
        built.open()
    path.unlink()
    with pytest.raises(ValueError, match="are damaged"):
        built.open()


def test_opening_before_building_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist: call prepare_data first"):
        cache(tmp_path).open()


def test_images_of_another_shape_raise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"image_shape must be \(3, 4, 5\), .* got \(3, 5, 4\)"):
        cache(tmp_path).build(lambda: [(IMAGES, LABELS)], (3, 5, 4))


def test_a_cache_may_be_larger_than_the_memory(tmp_path: Path) -> None:
    shape = (10**5, 1, 2**10, 2**10)  # 100 GB, all of it a hole in the file
    huge = cache(tmp_path)
    huge.path.mkdir()
    with (huge.path / "images.bin").open("wb") as file:
        file.truncate(math.prod(shape))
    np.save(huge.path / "labels.npy", np.zeros(shape[0], dtype=np.int64))
    (huge.path / "about.json").write_text(json.dumps({"shape": shape}))
    images, _ = huge.open()
    assert images[[0, 5, 99999], 0, 0].sum() == 0


def test_a_cache_that_was_built_while_waiting_for_the_lock_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "glow.data.decoded_cache.FileLock"

    def slow_lock(path: str) -> BaseFileLock:
        monkeypatch.setattr(name, FileLock)
        build(tmp_path)
        return FileLock(path)

    monkeypatch.setattr(name, slow_lock)
    cache(tmp_path).build(lambda: pytest.fail("built a second time"), (3, 4, 5))
