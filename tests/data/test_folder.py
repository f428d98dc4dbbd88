import os
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from glow.data import Folder
from glow.data.picture_data_module import Picture
from tests.data.folders import folder
from tests.data.pictures import paint

REPOSITORY = Path(__file__).parents[2]


def read(data: Folder) -> dict[str, list[int]]:
    """Prepare a source; return the gray values of the pictures in each split."""
    data.prepare_data()
    data.setup()
    return {
        name: sorted(int(image[0, 0, 0]) for image in dataset.images)
        for name, dataset in data.datasets.items()
    }


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A hundred pictures in folders that are not splits; their gray value is their number."""
    root = tmp_path / "pictures"
    for i in range(100):
        paint(root / f"part_{i % 3}" / f"{i}.png", i)
    return root


def test_every_picture_of_a_plain_folder_is_in_one_split(flat: Path, tmp_path: Path) -> None:
    found = read(folder(tmp_path))
    assert sorted(chain(*found.values())) == list(range(100))
    assert 1 <= len(found["val"]) <= 15
    assert 1 <= len(found["test"]) <= 15


def test_more_pictures_leave_the_others_in_their_splits(flat: Path, tmp_path: Path) -> None:
    before = read(folder(tmp_path))
    for i in range(100, 140):
        paint(flat / f"{i}.png", i)
    after = read(folder(tmp_path))
    assert all(set(before[split]) <= set(after[split]) for split in before)


def test_folders_of_splits_are_the_splits(tmp_path: Path) -> None:
    for i, name in enumerate(["train/a", "train/b", "valid/a", "test/b"]):
        paint(tmp_path / "pictures" / name / "x.png", i)
    assert read(folder(tmp_path)) == {"train": [0, 1], "val": [2], "test": [3]}


def test_validation_pictures_without_a_folder_are_taken_from_train(tmp_path: Path) -> None:
    for i in range(100):
        paint(tmp_path / "pictures" / "train" / f"{i}.png", i)
    paint(tmp_path / "pictures" / "test" / "x.png", 200)
    found = read(folder(tmp_path))
    assert sorted(found["train"] + found["val"]) == list(range(100))
    assert found["val"]
    assert found["test"] == [200]


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """One picture in one of two class folders of each split, two for training."""
    root = tmp_path / "pictures"
    for i, name in enumerate(["train/cat", "train/dog", "val/dog", "test/cat"]):
        paint(root / name / "deep" / "x.png", i)
        (root / name).parent.joinpath("cat").mkdir(exist_ok=True)
        (root / name).parent.joinpath("dog").mkdir(exist_ok=True)
    return root


@pytest.mark.usefixtures("classes")
def test_folders_are_classes_if_there_are_any(tmp_path: Path) -> None:
    data = folder(tmp_path, n_classes=2)
    read(data)
    assert data.datasets["train"].labels.tolist() == [0, 1]
    assert data.datasets["val"].labels.tolist() == [1]


@pytest.mark.usefixtures("classes")
def test_a_wrong_number_of_classes_raises(tmp_path: Path) -> None:
    message = r"n_classes must be 2, .* folders in .*train \(cat, dog\), .* got 3"
    with pytest.raises(ValueError, match=message):
        read(folder(tmp_path, n_classes=3))


def test_a_picture_without_a_class_raises(classes: Path, tmp_path: Path) -> None:
    paint(classes / "train" / "stray.png", 9)
    with pytest.raises(ValueError, match=r"stray.png is in none of the class folders"):
        read(folder(tmp_path, n_classes=2))


def test_pictures_are_decoded_once_and_again_if_something_changes(
    flat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    decode_picture = Folder.decode_picture

    def counted(data: Folder, picture: Picture) -> Any:
        decoded.append(picture.name)
        return decode_picture(data, picture)

    monkeypatch.setattr(Folder, "decode_picture", counted)
    read(folder(tmp_path))
    assert len(decoded) == 100
    read(folder(tmp_path))
    assert len(decoded) == 100
    read(folder(tmp_path, image_shape=(1, 2, 2)))
    assert len(decoded) == 200
    paint(flat / "part_0" / "0.png", 250, size=(5, 5))
    assert 250 in chain(*read(folder(tmp_path)).values())


@pytest.mark.usefixtures("flat")
def test_the_remains_of_a_killed_build_are_replaced(tmp_path: Path) -> None:
    data = folder(tmp_path)
    cache = data.cache("train")
    unfinished = cache.path.with_name(f"{cache.path.name}.part")
    unfinished.mkdir(parents=True)
    (unfinished / "images.bin").write_bytes(b"half of it")
    assert len(read(data)["train"]) > 80
    assert not unfinished.exists()


def test_bad_files_raise_with_a_list_or_are_left_out(flat: Path, tmp_path: Path) -> None:
    (flat / "empty.png").touch()
    (flat / "page.jpg").write_text("<html>quota</html>")
    (flat / "cut.png").write_bytes((flat / "part_0" / "0.png").read_bytes()[:40])
    with pytest.raises(
        ValueError, match=r"3 pictures cannot be used .*All are listed in .*bad_files\.txt"
    ):
        read(folder(tmp_path))
    with pytest.warns(UserWarning, match="3 pictures cannot be used .* They are left out"):
        found = read(folder(tmp_path, on_bad_file="skip"))
    assert sorted(chain(*found.values())) == list(range(100))
    with pytest.raises(ValueError, match="3 pictures cannot be used"):
        read(folder(tmp_path))  # although the cache has been built
    reports = "".join(p.read_text() for p in (tmp_path / "cache").glob("*.bad_files.txt"))
    for name in ("empty.png: the file is empty", "page.jpg: it is a web page", "cut.png: "):
        assert name in reports


def test_another_folder_has_another_cache(tmp_path: Path) -> None:
    for name, value in (("a", 10), ("b", 20)):
        for i in range(100):
            paint(tmp_path / name / f"{i}.bmp", value)
            os.utime(tmp_path / name / f"{i}.bmp", (0, 0))
    for name, value in (("a", 10), ("b", 20)):
        data = folder(tmp_path, root=str(tmp_path / name))
        assert set(chain(*read(data).values())) == {value}


def test_a_file_replaced_with_the_same_size_and_time_is_decoded_again(
    flat: Path, tmp_path: Path
) -> None:
    path = flat / "part_0" / "0.bmp"  # the size of a bmp file does not depend on its pixels
    paint(path, 200)
    assert 200 in chain(*read(folder(tmp_path)).values())
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    paint(path, 201)
    os.utime(path, ns=times)
    assert 201 in chain(*read(folder(tmp_path)).values())


def test_a_new_folder_of_one_split_does_not_change_the_other(tmp_path: Path) -> None:
    for i in range(100):
        paint(tmp_path / "pictures" / "train" / f"{i}.png", i)
    before = read(folder(tmp_path))
    paint(tmp_path / "pictures" / "val" / "x.png", 200)
    after = read(folder(tmp_path))
    assert after["test"] == before["test"]
    assert after["train"] == sorted(before["train"] + before["val"])


@pytest.mark.usefixtures("flat")
def test_reading_a_complete_cache_takes_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read(folder(tmp_path))
    monkeypatch.setattr("glow.data.decoded_cache.FileLock", None)
    assert read(folder(tmp_path)) == before


def test_a_missing_folder_raises_with_instructions(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*pictures: set data\.root"):
        read(folder(tmp_path))


def test_splits_without_a_training_folder_raise(tmp_path: Path) -> None:
    (tmp_path / "pictures" / "test").mkdir(parents=True)
    with pytest.raises(ValueError, match="has folders for some splits, but no folder train"):
        read(folder(tmp_path))


def test_folders_beside_those_of_the_splits_raise(tmp_path: Path) -> None:
    for name in ("train", "bus", "car"):
        paint(tmp_path / "pictures" / name / "x.png", 0)
    with pytest.raises(ValueError, match="its folders must be splits, but there are also bus, car"):
        read(folder(tmp_path))


def test_two_channels_raise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.image_shape must have 1 or 3 channels, .* got 2"):
        folder(tmp_path, image_shape=(2, 4, 4))


def test_a_cache_among_the_pictures_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.cache_dir must not be in data\.root, .*inside"):
        folder(tmp_path, cache_dir=str(tmp_path / "pictures" / "inside"))


def test_an_unknown_treatment_of_bad_files_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be stop or skip, got ignore"):
        folder(tmp_path, on_bad_file="ignore")


BUILD = """
import sys
from glow.data import Folder
decode_picture = Folder.decode_picture
def announced(self, picture):
    sys.stdout.write(picture.name + '\\n')
    sys.stdout.flush()
    return decode_picture(self, picture)
Folder.decode_picture = announced
Folder(root=sys.argv[1], cache_dir=sys.argv[2], image_shape=(1, 4, 4)).prepare_data()
"""


def start_building(root: Path, cache: Path) -> subprocess.Popen[str]:
    """Build a cache in another process, which prints the name of every picture it decodes."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(root), str(cache)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_processes_that_start_at_once_decode_once(flat: Path, tmp_path: Path) -> None:
    processes = [start_building(flat, tmp_path / "cache") for _ in range(2)]
    decoded = [line for p in processes for line in p.communicate()[0].split() if ".png" in line]
    assert [p.returncode for p in processes] == [0, 0]
    assert len(decoded) == len(set(decoded)) == 100


@pytest.mark.slow
def test_a_killed_build_is_repeated(flat: Path, tmp_path: Path) -> None:
    process = start_building(flat, tmp_path / "cache")
    assert process.stdout
    for _ in range(60):
        process.stdout.readline()
    process.kill()
    process.communicate()
    found = read(folder(tmp_path))
    assert sorted(chain(*found.values())) == list(range(100))


def test_folders_that_link_to_each_other_are_read_once(flat: Path, tmp_path: Path) -> None:
    names = [f"part_{i}" for i in range(3)] + [f"more_{i}" for i in range(9)]
    for name in names:
        (flat / name).mkdir(exist_ok=True)
        for other in names:
            (flat / name / f"to_{other}").symlink_to(flat / other)
    assert sorted(chain(*read(folder(tmp_path)).values())) == list(range(100))


def test_a_folder_elsewhere_is_read_through_a_link(flat: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "part").symlink_to(flat)
    data = folder(tmp_path, root=str(tmp_path / "linked"))
    assert sorted(chain(*read(data).values())) == list(range(100))


def test_other_files_among_the_pictures_are_left_out(flat: Path, tmp_path: Path) -> None:
    others = (
        "README.txt",
        "part_0/labels.csv",
        "part_1/1.json",
        "clip.MP4",
        "LICENSE",
        "empty.txt",
    )
    for name in others:
        (flat / name).write_text("" if "empty" in name else "a text")
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"left out 6 other files .*labels.csv: it is none of"):
            found = read(folder(tmp_path))
    assert sorted(chain(*found.values())) == list(range(100))


def test_pictures_with_wrong_or_missing_endings_are_read(flat: Path, tmp_path: Path) -> None:
    for i, name in enumerate(("0.jpg", "1", "2.txt", "3.PNG", "4.x.y", "5.")):
        (flat / "part_0" / "0.png").rename(flat / "part_0" / "new")
        (flat / "part_0" / "new").rename(flat / name)
        paint(flat / "part_0" / "0.png", 100 + i)
    assert sorted(chain(*read(folder(tmp_path)).values())) == sorted(
        [*range(100), *range(100, 106)]
    )


def test_a_broken_picture_with_a_wrong_ending_is_bad(flat: Path, tmp_path: Path) -> None:
    (flat / "notes.txt").write_bytes((flat / "part_0" / "0.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"1 picture cannot be used \(notes.txt: it is broken"):
        read(folder(tmp_path))


@pytest.mark.usefixtures("classes")
def test_other_files_need_no_class(tmp_path: Path) -> None:
    for name in ("README.txt", "train/README.txt", "train/labels", "test/list.json"):
        (tmp_path / "pictures" / name).write_text("a text")
    data = folder(tmp_path, n_classes=2)
    read(data)
    assert [len(dataset) for dataset in data.datasets.values()] == [2, 1, 1]


def test_an_empty_split_raises(tmp_path: Path) -> None:
    for name in ("train", "test"):
        paint(tmp_path / "pictures" / name / "x.png", 0)
    (tmp_path / "pictures" / "val").mkdir()
    with pytest.raises(ValueError, match="val split: there are no images in it"):
        read(folder(tmp_path))


def test_a_file_that_cannot_be_read_is_bad(
    flat: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_bytes = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "7.png":
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ValueError, match=r"1 picture cannot be used \(part_1/7.png: .*Permission"):
        read(folder(tmp_path))


def test_files_that_differ_in_the_size_limit_are_decoded_again(tmp_path: Path) -> None:
    for i in range(100):
        paint(tmp_path / "pictures" / f"{i}.png", i)
    paint(tmp_path / "pictures" / "large.png", 200, size=(40, 40))
    message = r"1 picture cannot be used \(large.png: it has more pixels than data.max_pixels=1000 "
    with pytest.raises(ValueError, match=message + r"allows \(it is 40x40\); set data.max_pixels"):
        read(folder(tmp_path, max_pixels=1000))
    with pytest.warns(UserWarning, match=message):
        found = read(folder(tmp_path, max_pixels=1000, on_bad_file="skip"))
    assert sorted(chain(*found.values())) == list(range(100))
    assert 200 in chain(*read(folder(tmp_path, on_bad_file="skip")).values())


def test_a_link_to_a_folder_above_is_not_followed(flat: Path, tmp_path: Path) -> None:
    (flat / "part_0" / "loop").symlink_to(flat)
    assert sorted(chain(*read(folder(tmp_path)).values())) == list(range(100))
