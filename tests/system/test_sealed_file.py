"""Files that are cut off, changed, or not finished."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from glow.system.sealed_file import BrokenFileError, check_seal, previous_of, save_sealed


def content(number: int = 0) -> dict[str, Any]:
    return {"step": number, "weights": torch.full((3000,), float(number))}


def read(path: Path) -> dict[str, Any]:
    check_seal(path)
    loaded: dict[str, Any] = torch.load(path, weights_only=True)
    assert torch.equal(loaded["weights"], torch.full((3000,), float(loaded["step"])))
    return loaded


@contextmanager
def disk_of(n_bytes: int) -> Iterator[None]:
    """Let no file grow beyond this size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_sealed(content(1), tmp_path / "a.ckpt")
    return tmp_path / "a.ckpt"


def test_torch_reads_a_sealed_file_in_every_way(path: Path) -> None:
    assert read(path)["step"] == 1
    for mapped in (False, True):
        loaded = torch.load(path, weights_only=True, mmap=mapped)
        assert torch.equal(loaded["weights"], content(1)["weights"])


def test_files_without_a_seal_pass(tmp_path: Path) -> None:
    torch.save(content(), tmp_path / "a")
    (tmp_path / "b").write_text("no archive")
    for name in "ab":
        check_seal(tmp_path / name)


def test_the_replaced_file_is_kept(path: Path) -> None:
    save_sealed(content(2), path, previous_of(path))
    save_sealed(content(3), path, previous_of(path))
    assert [read(path)["step"], read(previous_of(path))["step"]] == [3, 2]
    assert sorted(p.name for p in path.parent.iterdir()) == ["a.ckpt", "a.ckpt.previous"]


def test_the_file_is_never_gone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        assert read(path)["step"] == 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    save_sealed(content(2), path, previous_of(path))
    assert [read(path)["step"], read(previous_of(path))["step"]] == [2, 1]


def test_every_cut_is_recognized(path: Path) -> None:
    whole = path.read_bytes()
    for tenth in range(1, 10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(BrokenFileError, match=r"a\.ckpt is damaged: its end is missing"):
            check_seal(path)
    for length in (1, 3, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(BrokenFileError):
            check_seal(path)


@pytest.mark.parametrize("size", [0, 2, 1000])
def test_a_file_without_its_content_is_recognized(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))
    with pytest.raises(BrokenFileError, match=r"a\.ckpt is damaged: it is empty"):
        check_seal(path)


def test_a_changed_byte_is_recognized(path: Path) -> None:
    whole = path.read_bytes()
    for position in (
        *range(4),
        *range(4, len(whole) - 100, 97),
        *range(len(whole) - 100, len(whole)),
    ):
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        os.utime(path, ns=(position, position))
        with pytest.raises(BrokenFileError):
            check_seal(path)


def test_a_full_disk_leaves_the_earlier_file(path: Path) -> None:
    for n_bytes in (0, 500, 6000, path.stat().st_size - 80, path.stat().st_size - 1):
        with disk_of(n_bytes), pytest.raises(OSError, match=r"cannot be written|File too large"):
            save_sealed(content(2), path)
        assert [p.name for p in path.parent.iterdir()] == ["a.ckpt"]
    assert read(path)["step"] == 1


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt" / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match=r"a\.ckpt"):
        save_sealed(content(), tmp_path / "a.ckpt")


def test_a_kill_at_any_moment_leaves_a_whole_file(path: Path) -> None:
    for turn in range(20):
        child = os.fork()
        if not child:
            for number in range(2, 10**6):
                save_sealed(content(number), path, previous_of(path))
            os._exit(0)
        time.sleep(0.01 + turn * 0.0037)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        read(path)
        if previous_of(path).is_file():
            read(previous_of(path))
