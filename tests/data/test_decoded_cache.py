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


def test_what_was_written_is_read(tmp_path: Path) -> None:
    images, labels = build(tmp_path).open()
    assert torch.equal(images, IMAGES)
    assert torch.equal(labels, LABELS)


def test_writing_to_what_was_read_changes_no_file(tmp_path: Path) -> None:
    images, _ = build(tmp_path).open()
    images[0] = 0
    assert torch.equal(build(tmp_path).open()[0], IMAGES)


def test_no_images_are_no_error(tmp_path: Path) -> None:
    empty = cache(tmp_path)
    empty.build(lambda: [], (3, 4, 5))
    images, labels = empty.open()
    assert images.shape == (0, 3, 4, 5)
    assert len(labels) == 0


def test_every_part_of_the_identity_makes_another_cache(tmp_path: Path) -> None:
    paths = {cache(tmp_path, **identity).path for identity in ({}, {"a": 1}, {"a": 2}, {"b": 1})}
    assert len(paths) == 4
    assert cache(tmp_path, a=1, b=2).path == cache(tmp_path, b=2, a=1).path


def test_a_build_that_fails_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    def failing() -> list[tuple[torch.Tensor, torch.Tensor]]:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        cache(tmp_path).build(failing, (3, 4, 5))
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert torch.equal(build(tmp_path).open()[0], IMAGES)


@pytest.mark.parametrize("name", ["images.bin", "labels.npy", "about.json"])
def test_damage_is_told(name: str, tmp_path: Path) -> None:
    built = build(tmp_path)
    path = built.path / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"are damaged .* delete that folder, and they"):
        built.open()
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="are damaged"):
        built.open()
    path.unlink()
    with pytest.raises(ValueError, match="are damaged"):
        built.open()


def test_what_was_not_built_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="call prepare_data first"):
        cache(tmp_path).open()


def test_images_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"image_shape is \(3, 5, 4\), but .* \(3, 4, 5\)"):
        cache(tmp_path).build(lambda: [(IMAGES, LABELS)], (3, 5, 4))


def test_more_is_mapped_than_there_is_memory(tmp_path: Path) -> None:
    shape = (10**5, 1, 2**10, 2**10)  # 100 GB of which nothing is written
    huge = cache(tmp_path)
    huge.path.mkdir()
    with (huge.path / "images.bin").open("wb") as file:
        file.truncate(math.prod(shape))
    np.save(huge.path / "labels.npy", np.zeros(shape[0], dtype=np.int64))
    (huge.path / "about.json").write_text(json.dumps({"shape": shape}))
    images, _ = huge.open()
    assert images[[0, 5, 99999], 0, 0].sum() == 0


def test_what_another_has_built_while_we_waited_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "glow.data.decoded_cache.FileLock"

    def slow_lock(path: str) -> BaseFileLock:
        monkeypatch.setattr(name, FileLock)
        build(tmp_path)
        return FileLock(path)

    monkeypatch.setattr(name, slow_lock)
    cache(tmp_path).build(lambda: pytest.fail("built a second time"), (3, 4, 5))
