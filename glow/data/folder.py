"""Any folder of pictures."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glow.data.image_data_module import SplitName
from glow.data.image_file import open_picture, read_file
from glow.data.picture_data_module import Picture, PictureDataModule

SPLIT_FOLDERS: Mapping[SplitName, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}


@dataclass(kw_only=True, eq=False)
class Folder(PictureDataModule):
    """All pictures below ``root``, in whatever folders: png, jpeg, webp or bmp.

    Where ``root`` has folders ``train``, ``val`` (or ``valid``, ``validation``) and ``test``, they
    are the splits. A split for which there is no such folder is cut from the training pictures by
    a hash of their names, which never changes: 5 % for ``val``, another 5 % for ``test``. With
    ``n_classes`` above 0, the folders next below are the classes, in the order of their names.

    See ``open_picture`` and ``fit`` for how pictures get ``image_shape``.

    Raises ``FileNotFoundError`` where there is no such folder, and ``ValueError`` where its
    pictures or classes are not as announced.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if Path(self.cache_dir).resolve().is_relative_to(Path(self.root).resolve()):
            raise ValueError(
                f"data.cache_dir, {self.cache_dir}, lies within data.root, {self.root}, and would "
                "be taken for pictures: set it to a folder elsewhere"
            )

    @property
    def label_names(self) -> list[str]:
        """The names of the class folders."""
        return self._classes(self._folder("train")) if self.n_classes else []

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures of a split, in the order of their names."""
        below = self._folder(split)
        cut = self._missing_splits()
        files = self.files_below(below)
        labels = self._labels(below, [name for name, _ in files])
        root = Path(self.root)
        prefix = below.relative_to(root).as_posix() + "/" if below != root else ""
        return [
            Picture(prefix + name, stamp, label)
            for (name, stamp), label in zip(files, labels, strict=True)
            if split not in ("train", *cut) or _split_by_hash(name, cut) == split
        ]

    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Return a picture as uint8 of ``image_shape``."""
        content = read_file(Path(self.root) / picture.name)
        return self.fit_picture(open_picture(content, self.image_shape[0]))[0]

    def _folder(self, split: SplitName) -> Path:
        """Return the folder that a split is, or is cut from."""
        root = Path(self.root)
        if not root.is_dir():
            raise FileNotFoundError(
                f"there is no folder {root.resolve()}: set data.root to a folder of pictures, with "
                "or without train, val and test within it"
            )
        train = _first_folder(root, "train")
        if not train and any(_first_folder(root, name) for name in SPLIT_FOLDERS):
            raise ValueError(f"{root} has folders for some splits, but none that is called train")
        known = [name for names in SPLIT_FOLDERS.values() for name in names]
        others = [name for name in self._classes(root) if name not in known]
        if train and others:
            raise ValueError(
                f"{root} has a folder train, and so its folders are splits, but there are also "
                f"{', '.join(others[:5])}: move what is to be learnt into train"
            )
        return _first_folder(root, split) or train or root

    def _missing_splits(self) -> list[SplitName]:
        """Return those of val and test that have no folder of their own."""
        splits: tuple[SplitName, ...] = ("val", "test")
        return [name for name in splits if not _first_folder(Path(self.root), name)]

    def _labels(self, below: Path, names: list[str]) -> list[int]:
        if not self.n_classes:
            return [0] * len(names)
        train = self._folder("train")
        classes = self._classes(train)
        if len(classes) != self.n_classes:
            raise ValueError(
                f"data.n_classes is {self.n_classes}, but {train} has {len(classes)} folders to be "
                f"classes ({', '.join(classes[:12])}); 0 does without classes"
            )
        number = {name: i for i, name in enumerate(classes)}
        stray = [name for name in names if name.partition("/")[0] not in number or "/" not in name]
        if stray:
            raise ValueError(
                f"{below / stray[0]} lies in none of the class folders that {train} has: move it "
                "into one, or set data.n_classes=0"
            )
        return [number[name.partition("/")[0]] for name in names]

    @staticmethod
    def _classes(below: Path) -> list[str]:
        return sorted(p.name for p in below.iterdir() if p.is_dir() and p.name[0] != ".")


def _first_folder(root: Path, split: SplitName) -> Path | None:
    return next((root / name for name in SPLIT_FOLDERS[split] if (root / name).is_dir()), None)


def _split_by_hash(name: str, cut: Sequence[SplitName]) -> SplitName:
    """Return which of the splits that are cut from the training pictures has this one, or train."""
    percent = int(hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8], 16) % 100
    split: SplitName = "val" if percent < 5 else "test" if percent < 10 else "train"
    return split if split in cut else "train"
