"""CelebA, aligned and cropped, with its 40 attributes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glow.data.archive import open_archive
from glow.data.celeba_lists import read_attributes, read_partition
from glow.data.image_data_module import SplitName
from glow.data.image_file import fit, open_picture, read_file
from glow.data.picture_data_module import Picture, PictureDataModule, stamp_of
from glow.data.split_folders import subfolders

Crop = Literal["central_148_v1", "central_160_v1"]

ALIGNED_SIZE = (178, 218)  # the width and height of the official pictures
PICTURES = "img_align_celeba"
ATTRIBUTE_LISTS = ("list_attr_celeba.txt", "list_attr_celeba.csv")
PARTITION_LISTS = ("list_eval_partition.txt", "list_eval_partition.csv")
# Left, upper, right and lower edge. The crop of a name never changes; caches depend on the name.
CROPS: Mapping[Crop, tuple[int, int, int, int]] = {
    "central_148_v1": (15, 35, 163, 183),
    "central_160_v1": (9, 29, 169, 189),
}
PARTITION: Mapping[SplitName, str] = {"train": "0", "val": "1", "test": "2"}


@dataclass(kw_only=True, eq=False)
class CelebA(PictureDataModule):
    """The aligned CelebA pictures, 178x218, cropped and resized, in their official splits.

    The official files are in ``root``, ``root/celeba``, or folders up to two levels below or above
    ``root``: ``img_align_celeba.zip``, or the folder ``img_align_celeba``;
    ``list_attr_celeba.txt``; and ``list_eval_partition.txt``, which may list only some of the
    pictures. The csv files of the same names, which Kaggle distributes, are read as well.

    Labels are the attributes, int64 (N,40), 0 or 1, in the order of ``label_names``. They are not
    classes, so ``n_classes`` must be 0.

    Args:
        root: The folder of the files, or the one that contains ``celeba``.
        crop: The central square that is resized to ``image_shape``: ``central_148_v1``, 148 pixels,
            as in most papers since RealNVP (whose code cuts it 5 pixels lower), or
            ``central_160_v1``.

    See ``PictureDataModule`` for the other arguments.

    Raises:
        ValueError: If there is no such crop.
    """

    root: str = "data"
    crop: Crop = "central_148_v1"
    image_shape: tuple[int, int, int] = (3, 64, 64)
    _archive: ZipFile | None = field(default=None, init=False, repr=False)
    _members: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop not in CROPS:
            raise ValueError(f"data.crop must be one of {', '.join(CROPS)}, got {self.crop}")

    @property
    def label_names(self) -> list[str]:
        """The names of the 40 attributes."""
        return read_attributes(self._find(*ATTRIBUTE_LISTS))[0]

    def origin(self, split: SplitName) -> str:
        """Return the folder or the archive of the pictures."""
        return str(self._source)

    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return the crop, the stamps of the official lists, and those of the pictures."""
        lists = [self._find(*ATTRIBUTE_LISTS), self._find(*PARTITION_LISTS)]
        return {
            "crop": self.crop,
            "lists": [stamp_of(path.stat()) for path in lists],
            "pictures": sorted(self._stamps().items()),
        }

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures that the partition assigns to a split.

        Raises:
            FileNotFoundError: If a file or all pictures are missing.
            ValueError: If a file is broken, or the two lists do not agree.
        """
        attribute_list, partition_list = self._find(*ATTRIBUTE_LISTS), self._find(*PARTITION_LISTS)
        _, attributes = read_attributes(attribute_list)
        partition = read_partition(partition_list)
        for name in partition:
            if name not in attributes:
                raise ValueError(
                    f"{partition_list} lists {name}, but {attribute_list.name} has no attributes "
                    f"for it, only for {len(attributes)} other pictures. Use the two official "
                    "files, or remove the pictures without attributes from the first"
                )
        if not self._source.is_dir():
            self._archive = open_archive(self._source)
            self._members = {name.rpartition("/")[2]: name for name in self._archive.namelist()}
        found = self._members or self._stamps()
        if partition and partition.keys().isdisjoint(found):
            raise FileNotFoundError(
                f"{self._source} has none of the {len(partition)} pictures that {partition_list} "
                f"lists, such as {next(iter(partition))}, only {len(found)} other files"
                + (f", such as {next(iter(found))}" if found else "")
            )
        return [
            Picture(name, "", attributes[name])  # identity has the stamps
            for name, part in partition.items()
            if part == PARTITION[split]
        ]

    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode a picture, crop it, and resize it to ``image_shape``."""
        content = self._read(picture.name)
        image = open_picture(content, self.image_shape[0], self.max_pixels)
        if image.size != ALIGNED_SIZE:
            raise ValueError(
                f"it is {image.width}x{image.height} instead of {ALIGNED_SIZE[0]}x"
                f"{ALIGNED_SIZE[1]}, the size of the aligned pictures"
            )
        return self.fit_picture(image)[0]

    def fit_picture(self, picture: Image.Image) -> tuple[NDArray[np.uint8], str]:
        """Crop a picture like those of CelebA if it has their size; otherwise fit it centrally."""
        if picture.size != ALIGNED_SIZE:
            return super().fit_picture(picture)
        _, height, width = self.image_shape
        note = f"cropped as {self.crop} and resized to {width}x{height}"
        return fit(picture.crop(CROPS[self.crop]), height, width), note

    def _read(self, name: str) -> bytes:
        if self._archive is None:
            return read_file(self._source / name)
        try:
            return self._archive.read(self._members.get(name, name))
        except Exception as error:  # zipfile raises many kinds of errors on broken archives
            raise ValueError(f"it cannot be read from the archive ({error})") from error

    def _stamps(self) -> dict[str, str]:
        """Return the stamp of every picture, or that of the archive."""
        if self._source.is_dir():
            return dict(self.files_below(self._source))
        return {self._source.name: stamp_of(self._source.stat())}

    @cached_property
    def _source(self) -> Path:
        """The folder or the archive of the pictures; Kaggle's folder contains another one."""
        source = self._find(PICTURES, f"{PICTURES}.zip")
        inner = source / PICTURES
        return inner if inner.is_dir() else source

    def _find(self, *names: str) -> Path:
        """Return the file or folder with one of these names that is nearest to ``root``."""
        for folder in self._folders():
            for name in names:
                if (folder / name).exists():
                    return folder / name
        root = Path(self.root).resolve()
        shown = root / "celeba" if (root / "celeba").is_dir() else root
        raise FileNotFoundError(
            f"{shown} has neither {' nor '.join(names)}, nor have the folders around "
            "it. CelebA can only be downloaded in a browser: put img_align_celeba.zip, unpacked or "
            "not, list_attr_celeba.txt and list_eval_partition.txt there; or set data.root to the "
            "folder that contains celeba/ with them; or train on a folder of other pictures: "
            "data=folder"
        )

    def _folders(self) -> Iterator[Path]:
        """Yield the folders in which the files may be, the most likely ones first."""
        root = Path(self.root).resolve()
        yield from (root, root / "celeba")
        level = [root] if root.is_dir() else []
        for _ in range(2):
            level = [
                inner for outer in level if outer.name != PICTURES for inner in subfolders(outer)
            ]
            yield from level
        if root.is_dir():
            yield from root.parents[:2]
