"""Test pictures must never be trained on, however the folders of the splits are called."""

from pathlib import Path

import pytest

from glow.data import Folder
from glow.data.split_folders import split_of
from tests.data.folders import folder
from tests.data.pictures import paint


def write(tmp_path: Path, *names: str) -> Path:
    """Write one picture in every folder; its gray value is its position in the list."""
    for i, name in enumerate(names):
        paint(tmp_path / "pictures" / name / "x.png", i)
    return tmp_path / "pictures"


def splits(data: Folder) -> dict[str, list[int]]:
    data.prepare_data()
    data.setup()
    return {
        name: sorted(int(image[0, 0, 0]) for image in dataset.images)
        for name, dataset in data.datasets.items()
    }


@pytest.mark.parametrize(
    "names",
    [
        ("Training", "Validation", "Testing"),
        ("TRAIN", "VALID", "TEST"),
        ("train_set", "dev-set", "test set"),
        ("train_images", "val_images", "test_images"),
        ("images_train", "images_val", "images_test"),
        ("TrainingData", "ValidationData", "TestData"),
        ("train2017", "val2017", "test2017"),
        ("trainset", "devset", "evaluation"),
        ("training", "development", "holdout"),
        ("train_split", "valid_split", "eval_split"),
        ("01_train", "02_val", "03_test"),
    ],
)
def test_usual_names_are_those_of_splits(names: tuple[str, str, str], tmp_path: Path) -> None:
    write(tmp_path, *names)
    assert splits(folder(tmp_path)) == {"train": [0], "val": [1], "test": [2]}


@pytest.mark.parametrize(
    "name",
    ["bullet_train", "test_tube", "trainers", "contest", "trains", "devil", "evil", "cat", "7", ""],
)
def test_names_of_other_things_are_not_those_of_splits(name: str) -> None:
    assert split_of(name) is None


def test_splits_are_not_classes(tmp_path: Path) -> None:
    names = ("Training/a", "Training/b", "Valid/a", "Testing/a", "Testing/b")
    write(tmp_path, *names)
    data = folder(tmp_path, n_classes=2)
    assert splits(data) == {"train": [0, 1], "val": [2], "test": [3, 4]}
    assert data.label_names == ["a", "b"]
    assert data.dataset("test").labels.tolist() == [0, 1]


@pytest.mark.parametrize("wrapper", ["images", "a/b", "a/b/c", "dataset/images"])
def test_splits_may_be_in_one_other_folder(wrapper: str, tmp_path: Path) -> None:
    root = write(tmp_path, f"{wrapper}/train", f"{wrapper}/val", f"{wrapper}/test")
    (root / "README.md").write_text("a text")
    assert splits(folder(tmp_path)) == {"train": [0], "val": [1], "test": [2]}


def test_splits_may_be_in_folders_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path, "train/train/a", "train/train/b", "val/val/a", "test_set/test_set/a")
    assert splits(folder(tmp_path, n_classes=2)) == {"train": [0, 1], "val": [2], "test": [3]}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train", "val", "valid", "test"), "two folders for the val split, val and valid"),
        (("Train", "train", "test"), "two folders for the train split, Train and train"),
        (("train", "test", "eval"), "two folders for the test split, eval and test"),
        (("train1", "train2", "test"), "two folders for the train split, train1 and train2"),
        (("Training", "Testing", "extra"), "has a folder Training, .* there are also extra: move"),
        (("Testing", "Validation"), "no folder train, only Testing, Validation: add it"),
        (("wrapper/train", "wrapper/test", "wrapper/x"), "wrapper has a folder train.* also x"),
        (("a/train", "a/test", "b"), r"look like splits \(a/test, a/train\).* set data\.root"),
        (("images/train", "images/val", "labels/train"), r"look like splits \(images/.*images/val"),
        (("cat/train", "cat/test", "dog/train", "dog/test"), r"splits \(cat/test, cat/train\)"),
        (("a/b/c/d/e/train", "a/b/c/d/e/test"), r"look like splits \(a/b/c/d/e/test"),
        (("dog", "cat", "cat/test"), r"look like splits \(cat/test\)"),
        (("seg_train/a", "seg_test/a", "seg_pred"), r"look like splits \(seg_test, seg_train\)"),
        (("DIV2K_train_HR", "DIV2K_valid_HR"), r"look like splits .*rename them, or set data\.spl"),
    ],
)
def test_folders_that_may_hide_test_pictures_raise(
    names: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    write(tmp_path, *names)
    with pytest.raises(ValueError, match=message) as error:
        splits(folder(tmp_path))
    assert "data.split_folders=false" in str(error.value)


def test_pictures_next_to_the_splits_raise(tmp_path: Path) -> None:
    root = write(tmp_path, "images/train", "images/test")
    (root / "labels.csv").write_text("file,label")
    folder(tmp_path).pictures("train")
    paint(root / "stray.png", 9)
    with pytest.raises(ValueError, match=r"pictures must be in them, but there is also stray\.png"):
        folder(tmp_path).pictures("train")


def test_a_split_that_is_a_link_to_the_training_folder_raises(tmp_path: Path) -> None:
    root = write(tmp_path, "train")
    (root / "test").symlink_to("train")
    with pytest.raises(ValueError, match=r"test and .*train must not be the same folder"):
        folder(tmp_path).pictures("train")


def test_classes_may_have_the_names_of_splits(tmp_path: Path) -> None:
    for name in ("bus", "test", "train"):
        for i in range(40):
            paint(tmp_path / "pictures" / name / f"{i}.png", i)
    data = folder(tmp_path, n_classes=3, split_folders=False)
    splits(data)
    assert data.label_names == ["bus", "test", "train"]
    assert sum(len(dataset) for dataset in data.datasets.values()) == 120
    assert data.dataset("train").labels.unique().tolist() == [0, 1, 2]


def test_classes_in_the_folders_of_splits_may_have_any_name(tmp_path: Path) -> None:
    write(tmp_path, "train/test", "train/train", "val/test", "test/train")
    data = folder(tmp_path, n_classes=2)
    assert splits(data) == {"train": [0, 1], "val": [2], "test": [3]}
    assert data.label_names == ["test", "train"]


@pytest.mark.parametrize("name", ["bullet_train", "train_station", "test_tube"])
def test_one_class_that_resembles_a_split_is_a_class(name: str, tmp_path: Path) -> None:
    write(tmp_path, "bus", name)
    assert len(folder(tmp_path, n_classes=2).label_names) == 2
    folder(tmp_path, n_classes=2).pictures("train")


def test_one_line_says_what_is_in_the_splits(tmp_path: Path) -> None:
    root = write(tmp_path, "Training/a", "Training/b", "Valid/a", "Testing/a", "Testing/b")
    data = folder(tmp_path, n_classes=2)
    splits(data)
    assert data.summary_line() == (
        f"Folder: train 2 images in 2 classes from {root}/Training; val 1 image in 1 class from "
        f"{root}/Valid; test 2 images in 2 classes from {root}/Testing"
    )


def test_the_line_says_which_splits_are_cut_from_train(tmp_path: Path) -> None:
    for i in range(300):
        paint(tmp_path / "pictures" / "train" / f"{i}.png", i % 256)
    paint(tmp_path / "pictures" / "test" / "x.png", 0)
    data = folder(tmp_path)
    found = splits(data)
    root = tmp_path / "pictures"
    assert data.summary_line() == (
        f"Folder: train {len(found['train'])} images from {root}/train; val {len(found['val'])} "
        f"images from a part of {root}/train; test 1 image from {root}/test"
    )


def test_an_archive_as_root_raises(tmp_path: Path) -> None:
    (tmp_path / "pictures.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"got the file .*pictures\.zip; unpack it"):
        folder(tmp_path, root=str(tmp_path / "pictures.zip")).pictures("train")


@pytest.mark.parametrize("form", ["{}/", "{}/.", "{}/../pictures", "~/pictures", "pictures"])
def test_the_root_may_be_written_in_any_way(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path, "train", "val", "test")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    data = folder(tmp_path, root=form.format(root))
    assert splits(data) == {"train": [0], "val": [1], "test": [2]}
    assert f"from {root}/train;" in data.summary_line()
