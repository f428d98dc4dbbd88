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
    """All pictures in ``root``, at any depth: png, jpeg, webp or bmp.

    If ``root`` has folders ``train``, ``val`` (or ``valid``, ``validation``) and ``test``, these
    are the splits. Pictures of a split without a folder are taken from the training pictures by a
    hash of their names: 5 % for ``val`` and another 5 % for ``test``. More pictures never change
    the split of the others.

    If ``n_classes`` is not 0, the folders in ``root``, or in those of the splits, are the classes,
    in alphabetical order.

    See ``open_picture`` and ``fit`` for how pictures become images of ``image_shape``, and
    ``PictureDataModule`` for the arguments.

    Raises:
        ValueError: If ``cache_dir`` is in ``root``.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if Path(self.cache_dir).resolve().is_relative_to(Path(self.root).resolve()):
            raise ValueError(
                f"data.cache_dir must not be in data.root, {self.root}, where its files would be "
                f"taken for pictures, got {self.cache_dir}"
            )

    @property
    def label_names(self) -> list[str]:
        """The names of the class folders."""
        return self._classes(self._folder("train")) if self.n_classes else []

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures of a split, sorted by name.

        Raises:
            FileNotFoundError: If there is no folder ``root``.
            ValueError: If the folders in ``root`` are not as described above.
        """
        folder = self._folder(split)
        missing = self._missing_splits()
        files = self.files_below(folder)
        labels = self._labels(folder, [name for name, _ in files])
        root = Path(self.root)
        prefix = folder.relative_to(root).as_posix() + "/" if folder != root else ""
        return [
            Picture(prefix + name, stamp, label)
            for (name, stamp), label in zip(files, labels, strict=True)
            if split not in ("train", *missing) or _split_by_hash(name, missing) == split
        ]

    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode a picture and fit it to ``image_shape``."""
        content = read_file(Path(self.root) / picture.name)
        return self.fit_picture(open_picture(content, self.image_shape[0]))[0]

    def _folder(self, split: SplitName) -> Path:
        """Return the folder of a split, or the one that its pictures are taken from."""
        root = Path(self.root)
        if not root.is_dir():
            raise FileNotFoundError(
                f"there is no folder {root.resolve()}: set data.root to a folder of pictures, with "
                "or without folders train, val and test"
            )
        train = _first_folder(root, "train")
        if not train and any(_first_folder(root, split) for split in SPLIT_FOLDERS):
            raise ValueError(f"{root} has folders for some splits, but no folder train")
        known = [name for names in SPLIT_FOLDERS.values() for name in names]
        others = [name for name in self._classes(root) if name not in known]
        if train and others:
            raise ValueError(
                f"{root} has a folder train, so its folders must be splits, but there are also "
                f"{', '.join(others[:5])}: move the training pictures into train"
            )
        return _first_folder(root, split) or train or root

    def _missing_splits(self) -> list[SplitName]:
        """Return which of val and test have no folder."""
        splits: tuple[SplitName, ...] = ("val", "test")
        return [split for split in splits if not _first_folder(Path(self.root), split)]

    def _labels(self, folder: Path, names: list[str]) -> list[int]:
        if not self.n_classes:
            return [0] * len(names)
        train = self._folder("train")
        classes = self._classes(train)
        if len(classes) != self.n_classes:
            raise ValueError(
                f"data.n_classes must be {len(classes)}, the number of folders in {train} "
                f"({', '.join(classes[:12])}), or 0 to train without classes, got {self.n_classes}"
            )
        number = {name: i for i, name in enumerate(classes)}
        stray = [name for name in names if name.partition("/")[0] not in number or "/" not in name]
        if stray:
            raise ValueError(
                f"{folder / stray[0]} is in none of the class folders of {train}: move it into "
                "one, or set data.n_classes=0"
            )
        return [number[name.partition("/")[0]] for name in names]

    @staticmethod
    def _classes(folder: Path) -> list[str]:
        return sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")


def _first_folder(root: Path, split: SplitName) -> Path | None:
    return next((root / name for name in SPLIT_FOLDERS[split] if (root / name).is_dir()), None)


def _split_by_hash(name: str, missing: Sequence[SplitName]) -> SplitName:
    """Return the split, train or one of ``missing``, of a picture in the training folder."""
    percent = int(hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8], 16) % 100
    split: SplitName = "val" if percent < 5 else "test" if percent < 10 else "train"
    return split if split in missing else "train"
