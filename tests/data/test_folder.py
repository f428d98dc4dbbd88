import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from glow.data import Folder
from glow.data.picture_data_module import Picture
from tests.conftest import ROOT
from tests.data.pictures import paint


def folder(tmp_path: Path, **options: Any) -> Folder:
    settings = {
        "root": str(tmp_path / "pictures"),
        "cache_dir": str(tmp_path / "cache"),
        "image_shape": (1, 4, 4),
        "batch_size": 1,
    }
    return Folder(**{**settings, **options})


def read(data: Folder) -> dict[str, list[int]]:
    data.prepare_data()
    data.setup()
    return {
        name: sorted(int(image[0, 0, 0]) for image in dataset.images)
        for name, dataset in data.datasets.items()
    }


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A hundred pictures in nested folders; their grey value is their number."""
    root = tmp_path / "pictures"
    for i in range(100):
        paint(root / f"part_{i % 3}" / f"{i}.png", i)
    return root


def test_a_plain_folder_is_split_and_nothing_is_lost(flat: Path, tmp_path: Path) -> None:
    found = read(folder(tmp_path))
    assert sorted(chain(*found.values())) == list(range(100))
    assert 1 <= len(found["val"]) <= 15
    assert 1 <= len(found["test"]) <= 15


def test_more_pictures_move_none_to_another_split(flat: Path, tmp_path: Path) -> None:
    before = read(folder(tmp_path))
    for i in range(100, 140):
        paint(flat / f"{i}.png", i)
    after = read(folder(tmp_path))
    assert all(set(before[split]) <= set(after[split]) for split in before)


def test_folders_of_splits_are_the_splits(tmp_path: Path) -> None:
    for i, name in enumerate(["train/a", "train/b", "valid/a", "test/b"]):
        paint(tmp_path / "pictures" / name / "x.png", i)
    assert read(folder(tmp_path)) == {"train": [0, 1], "val": [2], "test": [3]}


def test_a_missing_val_folder_is_cut_from_train(tmp_path: Path) -> None:
    for i in range(100):
        paint(tmp_path / "pictures" / "train" / f"{i}.png", i)
    paint(tmp_path / "pictures" / "test" / "x.png", 200)
    found = read(folder(tmp_path))
    assert sorted(found["train"] + found["val"]) == list(range(100))
    assert found["val"]
    assert found["test"] == [200]


def test_sub_folders_are_classes_when_wanted(tmp_path: Path) -> None:
    for i, name in enumerate(["train/cat", "train/dog", "val/dog", "test/cat"]):
        paint(tmp_path / "pictures" / name / "deep" / "x.png", i)
        (tmp_path / "pictures" / name).parent.joinpath("cat").mkdir(exist_ok=True)
        (tmp_path / "pictures" / name).parent.joinpath("dog").mkdir(exist_ok=True)
    data = folder(tmp_path, n_classes=2)
    read(data)
    assert data.datasets["train"].labels.tolist() == [0, 1]
    assert data.datasets["val"].labels.tolist() == [1]
    with pytest.raises(ValueError, match=r"n_classes is 3, but .*train has 2 folders .*cat, dog"):
        read(folder(tmp_path, n_classes=3))
    paint(tmp_path / "pictures" / "train" / "stray.png", 9)
    with pytest.raises(ValueError, match=r"stray.png lies in none of the class folders"):
        read(folder(tmp_path, n_classes=2))


def test_the_cache_is_made_once_and_anew_when_something_changes(
    flat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    honest = Folder.decode_picture

    def counted(data: Folder, picture: Picture) -> Any:
        decoded.append(picture.name)
        return honest(data, picture)

    monkeypatch.setattr(Folder, "decode_picture", counted)
    read(folder(tmp_path))
    assert len(decoded) == 100
    read(folder(tmp_path))
    assert len(decoded) == 100
    read(folder(tmp_path, image_shape=(1, 2, 2)))
    assert len(decoded) == 200
    paint(flat / "part_0" / "0.png", 250, size=(5, 5))
    assert 250 in chain(*read(folder(tmp_path)).values())


def test_a_build_that_was_killed_does_not_look_finished(flat: Path, tmp_path: Path) -> None:
    data = folder(tmp_path)
    cache = data.cache("train")
    part = cache.path.with_name(f"{cache.path.name}.part")
    part.mkdir(parents=True)
    (part / "images.bin").write_bytes(b"half of it")
    assert len(read(data)["train"]) > 80
    assert not part.exists()


def test_bad_files_stop_with_their_list_or_are_left_out(flat: Path, tmp_path: Path) -> None:
    (flat / "empty.png").touch()
    (flat / "page.jpg").write_text("<html>quota</html>")
    (flat / "cut.png").write_bytes((flat / "part_0" / "0.png").read_bytes()[:40])
    with pytest.raises(
        ValueError, match=r"pictures cannot be used .*All are listed in .*bad_files\.txt"
    ):
        read(folder(tmp_path))
    with pytest.warns(UserWarning, match="3 pictures cannot be used .* They are left out"):
        found = read(folder(tmp_path, on_bad_file="skip"))
    assert sorted(chain(*found.values())) == list(range(100))
    with pytest.raises(ValueError, match="3 pictures cannot be used"):
        read(folder(tmp_path))  # although the cache is there by now
    reports = "".join(p.read_text() for p in (tmp_path / "cache").glob("*.bad_files.txt"))
    for name in ("empty.png: the file is empty", "page.jpg: this is a web page", "cut.png: "):
        assert name in reports


def test_another_folder_has_another_cache(tmp_path: Path) -> None:
    for name, value in (("a", 10), ("b", 20)):
        for i in range(100):
            paint(tmp_path / name / f"{i}.bmp", value)
            os.utime(tmp_path / name / f"{i}.bmp", (0, 0))
    for name, value in (("a", 10), ("b", 20)):
        data = folder(tmp_path, root=str(tmp_path / name))
        assert set(chain(*read(data).values())) == {value}


def test_a_file_replaced_at_the_same_size_and_time_is_decoded_anew(
    flat: Path, tmp_path: Path
) -> None:
    path = flat / "part_0" / "0.bmp"  # whose size does not depend on its pixels
    paint(path, 200)
    assert 200 in chain(*read(folder(tmp_path)).values())
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    paint(path, 201)
    os.utime(path, ns=times)
    assert 201 in chain(*read(folder(tmp_path)).values())


def test_val_and_test_stay_what_they_are_when_one_gets_its_own_folder(tmp_path: Path) -> None:
    for i in range(100):
        paint(tmp_path / "pictures" / "train" / f"{i}.png", i)
    before = read(folder(tmp_path))
    paint(tmp_path / "pictures" / "val" / "x.png", 200)
    after = read(folder(tmp_path))
    assert after["test"] == before["test"]
    assert after["train"] == sorted(before["train"] + before["val"])


def test_a_cache_that_is_there_needs_no_right_to_write(
    flat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(folder(tmp_path))
    monkeypatch.setattr("glow.data.decoded_cache.FileLock", None)
    assert read(folder(tmp_path)) == before


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*pictures: set data\.root"):
        read(folder(tmp_path))
    (tmp_path / "pictures" / "test").mkdir(parents=True)
    with pytest.raises(ValueError, match="none that is called train"):
        read(folder(tmp_path))
    with pytest.raises(ValueError, match=r"1 channel or 3, but data\.image_shape asks for 2"):
        folder(tmp_path, image_shape=(2, 4, 4))
    with pytest.raises(ValueError, match=r"data\.cache_dir, .*inside, lies within data\.root"):
        folder(tmp_path, cache_dir=str(tmp_path / "pictures" / "inside"))
    with pytest.raises(ValueError, match="must be stop or skip, got ignore"):
        folder(tmp_path, on_bad_file="ignore")
    for name in ("train", "bus", "car"):
        paint(tmp_path / "pictures" / name / "x.png", 0)
    with pytest.raises(ValueError, match="so its folders are splits, but there are also bus, car"):
        read(folder(tmp_path))


BUILD = """
import sys
from glow.data import Folder
honest = Folder.decode_picture
def slow(self, picture):
    sys.stdout.write(picture.name + '\\n')
    sys.stdout.flush()
    return honest(self, picture)
Folder.decode_picture = slow
Folder(root=sys.argv[1], cache_dir=sys.argv[2], image_shape=(1, 4, 4)).prepare_data()
"""


def start_building(root: Path, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(root), str(cache)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_that_start_at_once_build_once(flat: Path, tmp_path: Path) -> None:
    processes = [start_building(flat, tmp_path / "cache") for _ in range(2)]
    decoded = [line for p in processes for line in p.communicate()[0].split() if ".png" in line]
    assert [p.returncode for p in processes] == [0, 0]
    assert len(decoded) == len(set(decoded)) == 100


def test_a_build_that_is_killed_is_made_anew(flat: Path, tmp_path: Path) -> None:
    process = start_building(flat, tmp_path / "cache")
    assert process.stdout
    for _ in range(60):
        process.stdout.readline()
    process.kill()
    process.communicate()
    found = read(folder(tmp_path))
    assert sorted(chain(*found.values())) == list(range(100))


def test_a_link_to_where_it_lies_is_no_trap(flat: Path, tmp_path: Path) -> None:
    (flat / "part_0" / "loop").symlink_to(flat)
    assert sorted(chain(*read(folder(tmp_path)).values())) == list(range(100))
