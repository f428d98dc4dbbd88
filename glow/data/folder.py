"""Any folder of pictures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glow.data.image_data_module import SPLITS, SplitName
from glow.data.image_file import is_picture, open_picture, read_file
from glow.data.names import printable
from glow.data.picture_data_module import Picture, PictureDataModule
from glow.data.split_folders import check_no_splits, find_split_folders, subfolders


@dataclass(kw_only=True, eq=False)
class Folder(PictureDataModule):
    """All pictures in ``root``, at any depth, in the formats of ``open_picture``.

    If ``root`` has folders ``train``, ``val`` and ``test``, or with similar names (see
    ``split_of``), these are the splits. They may be in another folder, the only one in ``root``.
    Pictures of a split without a folder are taken from the training pictures by a hash of their
    names: 5 % for ``val`` and another 5 % for ``test``. More pictures never change the split of the
    others.

    If ``n_classes`` is not 0, the folders in ``root``, or in those of the splits, are the classes,
    in alphabetical order.

    See ``open_picture`` and ``fit`` for how pictures become images of ``image_shape``.

    Args:
        split_folders: Whether folders with the names of splits are the splits. False if they are
            classes or have no meaning.

    See ``PictureDataModule`` for the other arguments.

    Raises:
        ValueError: If ``cache_dir`` is in ``root``.
    """

    split_folders: bool = True

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
        return [p.name for p in subfolders(self._folder("train"))] if self.n_classes else []

    def origin(self, split: SplitName) -> str:
        """Return the folder of a split, or the one that its pictures are taken from."""
        folder = str(self._folder(split).resolve())
        return folder if split in self._splits else f"a part of {folder}"

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures of a split, sorted by name.

        Raises:
            FileNotFoundError: If there is no folder ``root``.
            ValueError: If the folders in ``root`` are not as described above.
        """
        folder, root = self._folder(split), Path(self.root)
        files = self.files_below(folder)
        if self.split_folders and not self._splits:
            check_no_splits(root, (name for name, _ in files))
        missing: list[SplitName] = [s for s in SPLITS if s != "train" and s not in self._splits]
        prefix = folder.relative_to(root).as_posix() + "/" if folder != root else ""
        return [
            Picture(prefix + name, stamp, label)
            for name, stamp, label in self._labelled(folder, files)
            if split not in ("train", *missing) or _split_by_hash(name, missing) == split
        ]

    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode a picture and fit it to ``image_shape``."""
        content = read_file(Path(self.root) / picture.name)
        return self.fit_picture(open_picture(content, self.image_shape[0], self.max_pixels))[0]

    @cached_property
    def _splits(self) -> dict[SplitName, Path]:
        """The folders of the splits that have one."""
        root = Path(self.root)
        if root.is_file():
            raise ValueError(
                f"data.root must be a folder of pictures, got the file {root.resolve()}; unpack it "
                "if it is an archive"
            )
        if not root.is_dir():
            raise FileNotFoundError(
                f"there is no folder {root.resolve()}: set data.root to a folder of pictures, with "
                "or without folders train, val and test"
            )
        return find_split_folders(root) if self.split_folders else {}

    def _folder(self, split: SplitName) -> Path:
        """Return the folder of a split, or the one that its pictures are taken from."""
        return self._splits.get(split) or self._splits.get("train") or Path(self.root)

    def _labelled(
        self, folder: Path, files: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str, int]]:
        """Add the class of each file, and leave out files that need none, as no pictures."""
        if not self.n_classes:
            return [(name, stamp, 0) for name, stamp in files]
        train, classes = self._folder("train"), self.label_names
        if len(classes) != self.n_classes:
            raise ValueError(
                f"data.n_classes must be {len(classes)}, the number of folders in {train} "
                f"({printable(', '.join(classes[:12]))}), or 0 to train without classes, got "
                f"{self.n_classes}"
            )
        number = {name: i for i, name in enumerate(classes)}
        labelled = []
        for name, stamp in files:
            class_name, slash, _ = name.partition("/")
            if slash and class_name in number:
                labelled.append((name, stamp, number[class_name]))
            elif is_picture(folder / name):
                raise ValueError(
                    f"{printable(str(folder / name))} is in none of the class folders of {train}: "
                    "move it into one, or set data.n_classes=0"
                )
        return labelled


def _split_by_hash(name: str, missing: Sequence[SplitName]) -> SplitName:
    """Return the split, train or one of ``missing``, of a picture in the training folder."""
    percent = int(hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8], 16) % 100
    split: SplitName = "val" if percent < 5 else "test" if percent < 10 else "train"
    return split if split in missing else "train"
