"""Folders of pictures whose names say which split they are."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from glow.data.image_data_module import SplitName
from glow.data.image_file import is_picture
from glow.data.names import printable
from glow.data.system_files import is_system_name

NAMES: Mapping[SplitName, str] = {
    "train": "train|training|trn",
    "val": "val|valid|validate|validation|dev|development",
    "test": "test|testing|tst|eval|evaluation|holdout|heldout",
}
# Words that may stand before or after the name of a split without another meaning.
NEUTRAL = "((data|sub|set|split|image|img|picture|pic|photo|file|folder|sample|example)s?)*"
MAX_WRAPPERS = 3  # folders around those of the splits
UNLESS_SPLITS = "set data.split_folders=false if these folders are not splits"


def split_of(name: str) -> SplitName | None:
    """Return the split that a folder is by its name, in upper or lower case.

    >>> [split_of(name) for name in ("Training", "test_images", "VAL2017", "bullet_train")]
    ['train', 'test', 'val', None]
    """
    letters = re.sub(r"[\W\d_]+", "", name).casefold()
    for split, names in NAMES.items():
        if re.fullmatch(f"{NEUTRAL}({names}){NEUTRAL}", letters):
            return split
    return None


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted by name, without those that systems add."""
    return sorted(p for p in folder.iterdir() if not is_system_name(p.name) and p.is_dir())


def find_split_folders(root: Path, max_wrappers: int = MAX_WRAPPERS) -> dict[SplitName, Path]:
    """Return the folders of the splits in a folder, or in the only folder that it contains.

    Args:
        root: The folder.
        max_wrappers: How many folders, each the only one in the other, may be around the splits.

    Returns:
        The folder of every split that has one: none, or train and perhaps others.

    Raises:
        ValueError: If two folders are the same split, if there are splits but not train, or if
            there are other folders or pictures next to those of the splits.
    """
    folders = subfolders(root)
    found: dict[SplitName, Path] = {}
    for folder in folders:
        split = split_of(folder.name)
        if split in found:
            raise ValueError(
                f"{root} has two folders for the {split} split, {found[split].name} and "
                f"{folder.name}: merge or rename them, or {UNLESS_SPLITS}"
            )
        if split:
            found[split] = folder
    others = [folder.name for folder in folders if folder not in found.values()]
    if found and "train" not in found:
        raise ValueError(
            f"{root} has folders for some splits, but no folder train, only "
            f"{', '.join(folder.name for folder in found.values())}: add it, or {UNLESS_SPLITS}"
        )
    if found and others:
        train = found["train"].name
        raise ValueError(
            f"{root} has a folder {train}, so its folders must be splits, but there are also "
            f"{', '.join(others[:5])}: move the training pictures into {train} and the rest out of "
            f"{root}, or {UNLESS_SPLITS}"
        )
    if not found and len(folders) == 1 and max_wrappers:
        found = find_split_folders(folders[0], max_wrappers - 1)
    if found and (pictures := _pictures(root)):
        raise ValueError(
            f"{root} has folders for splits, so all pictures must be in them, but there is also "
            f"{pictures[0]}: move it, or {UNLESS_SPLITS}"
        )
    found = {split: _inner(folder, split) for split, folder in found.items()}
    for split, folder in found.items():
        if split != "train" and folder.samefile(found["train"]):
            raise ValueError(f"{folder} and {found['train']} must not be the same folder")
    return found


def check_no_splits(root: Path, files: Iterable[str]) -> None:
    """Raise if the names of folders suggest that test pictures are among the others.

    Args:
        root: A folder without folders for splits.
        files: The paths of the pictures, relative to ``root``.

    Raises:
        ValueError: If a folder at any depth is named like a validation or test split, or the names
            of folders contain those of two splits.
    """
    named: dict[SplitName, str] = {}
    similar: dict[SplitName, str] = {}
    for folder in sorted({file.rpartition("/")[0] for file in files}):
        path = ""
        for name in folder.split("/"):
            path = f"{path}/{name}".lstrip("/")
            if split := split_of(name):
                named.setdefault(split, path)
            for word in re.split(r"[\W\d_]+", name):
                if split := split_of(word):
                    similar.setdefault(split, path)
    if named.keys() - {"train"} or len(similar) > 1:
        suspects = ", ".join((named if named.keys() - {"train"} else similar).values())
        raise ValueError(
            f"{root} has folders that look like splits ({printable(suspects)}), but train, val and "
            "test must be the names of folders in data.root: set data.root to the folder that "
            f"contains them, rename them, or {UNLESS_SPLITS}"
        )


def _inner(folder: Path, split: SplitName) -> Path:
    """Return the folder itself, or the only one in it if that has the name of the split, too."""
    folders = subfolders(folder)
    if len(folders) == 1 and split_of(folders[0].name) == split and not _pictures(folder):
        return folders[0]
    return folder


def _pictures(folder: Path) -> list[str]:
    """Return the names of the pictures directly in a folder."""
    files = (p for p in folder.iterdir() if not is_system_name(p.name) and not p.is_dir())
    return sorted(path.name for path in files if is_picture(path))
