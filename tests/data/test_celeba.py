import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from glow.data import CelebA
from tests.data.pictures import ATTRIBUTES, QUOTA_PAGE, paint, write_celeba


def celeba(tmp_path: Path, **options: Any) -> CelebA:
    settings = {"cache_dir": str(tmp_path / "cache"), "root": str(tmp_path), "batch_size": 4}
    data = CelebA(**{**settings, **options})
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """The folder of the official files."""
    write_celeba(tmp_path)
    return tmp_path / "celeba"


def zipped(official: Path) -> Path:
    """Move the pictures into the archive in which they are distributed."""
    shutil.make_archive(str(official / "img_align_celeba"), "zip", official, "img_align_celeba")
    shutil.rmtree(official / "img_align_celeba")
    return official / "img_align_celeba.zip"


def check(data: CelebA) -> None:
    values = {split: dataset.images[:, 0, 0, 0] for split, dataset in data.datasets.items()}
    part_of_ten = {"train": range(6), "val": (6, 7), "test": (8, 9)}
    for split, numbers in values.items():
        assert numbers.tolist() == [i for i in range(30) if i % 10 in part_of_ten[split]]
    for split, dataset in data.datasets.items():
        assert dataset.images.shape[1:] == (3, 64, 64)
        assert dataset.labels.shape == (len(values[split]), 40)
        assert torch.equal(dataset.labels[:, 39], (values[split] % 2 == 0).long())
        assert not dataset.labels[:, :39].any()
    assert data.label_names == ATTRIBUTES


def test_the_official_files_give_pictures_attributes_and_splits(official: Path) -> None:
    check(celeba(official.parent))
    check(celeba(official.parent, root=str(official)))


def test_the_archive_gives_the_same_images_as_the_folder(official: Path) -> None:
    zipped(official)
    check(celeba(official.parent))


@pytest.mark.parametrize(("left", "top", "size"), [(15, 35, 148), (9, 29, 160)])
def test_crops_are_central(official: Path, left: int, top: int, size: int) -> None:
    """A white square of the size of the crop fills the image, and one that is smaller does not."""
    picture = official / "img_align_celeba" / "000000.jpg"
    for smaller, darkest in ((0, 255), (1, 0)):
        image = Image.new("L", (178, 218))
        image.paste(255, (left + smaller, top, left + size, top + size))
        image.save(picture, "png")
        options = {"crop": f"central_{size}_v1", "image_shape": (1, size, size)}
        data = celeba(official.parent, **options)
        images = data.dataset("train").images[data.dataset("train").labels[:, 39] == 1]
        assert max(int(i.min()) for i in images if i.max() == 255) == darkest


def test_training_batches_have_attributes_as_labels(official: Path) -> None:
    images, labels = next(iter(celeba(official.parent).train_dataloader()))
    assert images.shape == (4, 3, 64, 64)
    assert labels.shape == (4, 40)
    assert celeba(official.parent).dataset("train").indices_across_classes(2) == [0, 1]


@pytest.mark.parametrize(
    "absent", ["img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"]
)
def test_missing_files_raise_with_instructions(official: Path, absent: str) -> None:
    path = official / absent
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(FileNotFoundError, match=rf"celeba has n.*{absent}.*data\.root"):
        celeba(official.parent)


def test_a_quota_page_or_half_of_the_archive_raises(official: Path) -> None:
    archive = zipped(official)
    whole = archive.read_bytes()
    archive.write_text(QUOTA_PAGE)
    with pytest.raises(ValueError, match=r"celeba\.zip is a web page, .* quota .* delete it"):
        celeba(official.parent)
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"not a complete zip archive .* download it again"):
        celeba(official.parent)


def test_a_damaged_picture_in_the_archive_is_named(official: Path) -> None:
    archive = zipped(official)
    content = bytearray(archive.read_bytes())
    start = content.index(b"000003.jpg") + 10
    content[start : start + 200] = bytes(200)
    archive.write_bytes(content)
    message = r"1 picture cannot be used \(000003\.jpg: it cannot be read from the archive"
    with pytest.raises(ValueError, match=message):
        celeba(official.parent)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "list_attr_celeba.txt",
            "000003.jpg",
            "999999.jpg",
            r"lists 000003\.jpg, but list_attr_celeba\.txt has no attributes for it",
        ),
        (
            "list_attr_celeba.txt",
            "000003.jpg -1",
            "000003.jpg",
            "line 6: expected a name and 40 values, .* got 39 values",
        ),
        (
            "list_attr_celeba.txt",
            "000003.jpg -1",
            "000003.jpg 7",
            "line 6: .* each 1 or -1, got 40 values, which are -1, 7",
        ),
        (
            "list_attr_celeba.txt",
            " Smiling",
            "",
            "line 2: expected the names of 40 attributes, got 39",
        ),
        (
            "list_eval_partition.txt",
            "000003.jpg 0",
            "000003.jpg 5",
            "line 4: expected .* 0, 1 or 2, got '000003.jpg 5'",
        ),
        (
            "list_eval_partition.txt",
            "000003.jpg 0",
            "000002.jpg 0",
            r"000002\.jpg is listed a second",
        ),
        (
            "list_eval_partition.txt",
            "000003.jpg 0",
            "000003.jpg",
            "line 4: expected .* 0, 1 or 2, got '000003.jpg'",
        ),
    ],
)
def test_a_line_that_is_wrong_in_a_list_is_named(
    official: Path, name: str, old: str, new: str, message: str
) -> None:
    text = (official / name).read_text()
    assert old in text
    (official / name).write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        celeba(official.parent)


@pytest.mark.parametrize("as_archive", [True, False])
def test_missing_pictures_and_those_of_another_size_are_named(
    official: Path, *, as_archive: bool
) -> None:
    (official / "img_align_celeba" / "000003.jpg").unlink()
    paint(official / "img_align_celeba" / "000009.jpg", 9, (100, 100))
    if as_archive:
        zipped(official)
    message = r"2 pictures .* \(000003\.jpg: .*000009\.jpg: it is 100x100 instead of 178x218"
    with pytest.raises(ValueError, match=message):
        celeba(official.parent)
    with pytest.warns(UserWarning, match="2 pictures cannot be used .* They are left out"):
        data = celeba(official.parent, on_bad_file="skip")
    assert sum(len(dataset) for dataset in data.datasets.values()) == 28


def test_an_unknown_crop_raises(official: Path) -> None:
    with pytest.raises(ValueError, match="must be one of central_148_v1, central_160_v1, got face"):
        celeba(official.parent, crop="face")


def test_attributes_as_classes_raise(official: Path) -> None:
    message = r"data\.n_classes must be 0, because every image has 40 labels .* got 40"
    with pytest.raises(ValueError, match=message):
        celeba(official.parent, n_classes=40)


def test_a_changed_crop_or_list_decodes_again(official: Path) -> None:
    for i in range(30):
        picture = Image.new("L", (178, 218), 250)
        picture.paste(0, (12, 32, 166, 186))  # leaves a frame that only the wider crop shows
        picture.save(official / "img_align_celeba" / f"{i:06d}.jpg", quality=95)
    narrow, wide = (celeba(official.parent, crop=f"central_{size}_v1") for size in (148, 160))
    assert narrow.dataset("train").images.max() < 20
    assert wide.dataset("train").images.max() > 200
    attributes = official / "list_attr_celeba.txt"
    attributes.write_text(attributes.read_text().replace("-1", " 1"))
    assert celeba(official.parent).dataset("train").labels.all()


def as_kaggle(official: Path) -> None:
    """Rearrange the files as Kaggle distributes them: csv lists, and a folder in a folder."""
    attributes = (official / "list_attr_celeba.txt").read_text().splitlines()[1:]
    rows = [",".join(["image_id", *attributes[0].split()])]
    rows += [",".join(line.split()) for line in attributes[1:]]
    (official / "list_attr_celeba.csv").write_text("\n".join(rows) + "\n")
    partition = (official / "list_eval_partition.txt").read_text().splitlines()
    rows = ["image_id,partition", *(line.replace(" ", ",") for line in partition)]
    (official / "list_eval_partition.csv").write_text("\n".join(rows) + "\n")
    for path in official.glob("*.txt"):
        path.unlink()
    pictures = official / "img_align_celeba"
    pictures.rename(official / "inner")
    pictures.mkdir()
    (official / "inner").rename(pictures / "img_align_celeba")


def test_the_files_of_kaggle_give_the_same_images(official: Path) -> None:
    as_kaggle(official)
    check(celeba(official.parent))
    check(celeba(official.parent, root=str(official)))
    check(celeba(official.parent, root=str(official / "img_align_celeba")))
    official.rename(official.parent / "archive")  # the name of the unpacked download
    check(celeba(official.parent))


def test_attributes_may_be_0_instead_of_minus_1(official: Path) -> None:
    path = official / "list_attr_celeba.txt"
    path.write_text(path.read_text().replace("-1", "0"))
    check(celeba(official.parent))


def test_two_encodings_in_one_file_raise(official: Path) -> None:
    path = official / "list_attr_celeba.txt"
    path.write_text(path.read_text().replace("-1", "0", 1))
    with pytest.raises(ValueError, match=r"line 3: .* each 1 or 0, or each 1 or -1"):
        celeba(official.parent)


def test_an_archive_may_have_any_folder_in_it(official: Path) -> None:
    (official / "img_align_celeba").rename(official / "some_other_name")
    archive = official / "img_align_celeba"
    shutil.make_archive(str(archive), "zip", official, "some_other_name")
    shutil.rmtree(official / "some_other_name")
    check(celeba(official.parent))


def test_pictures_of_other_names_are_one_sentence(official: Path) -> None:
    for path in (official / "img_align_celeba").iterdir():
        path.rename(path.with_name(f"face_{path.name}"))
    message = r"img_align_celeba has none of the 30 pictures that .* lists, such as 000000\.jpg"
    with pytest.raises(FileNotFoundError, match=message):
        celeba(official.parent)
