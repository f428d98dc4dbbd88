"""CelebA, aligned and cropped, with its 40 attributes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glow.data.archive import open_archive
from glow.data.image_data_module import SplitName
from glow.data.image_file import fit, open_picture, read_file
from glow.data.picture_data_module import Picture, PictureDataModule, stamp_of

Crop = Literal["central_148_v1", "central_160_v1"]

ALIGNED_SIZE = (178, 218)  # the width and height of the official pictures
N_ATTRIBUTES = 40
# Left, upper, right and lower edge. The crop of a name never changes; caches depend on the name.
CROPS: Mapping[Crop, tuple[int, int, int, int]] = {
    "central_148_v1": (15, 35, 163, 183),
    "central_160_v1": (9, 29, 169, 189),
}
PARTITION: Mapping[SplitName, str] = {"train": "0", "val": "1", "test": "2"}


@dataclass(kw_only=True, eq=False)
class CelebA(PictureDataModule):
    """The aligned CelebA pictures, 178x218, cropped and resized, in their official splits.

    The official files are in ``root/celeba`` or in ``root`` itself: ``img_align_celeba.zip``, or
    the folder ``img_align_celeba``; ``list_attr_celeba.txt``; and ``list_eval_partition.txt``,
    which may list only some of the pictures.

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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop not in CROPS:
            raise ValueError(f"data.crop must be one of {', '.join(CROPS)}, got {self.crop}")

    @property
    def label_names(self) -> list[str]:
        """The names of the 40 attributes."""
        return self._attributes()[0]

    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return the crop, the stamps of the official lists, and those of the pictures."""
        lists = [self._file("list_attr_celeba.txt"), self._file("list_eval_partition.txt")]
        return {
            "crop": self.crop,
            "lists": [stamp_of(path.stat()) for path in lists],
            "pictures": sorted(self._stamps().items()),
        }

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures that the partition assigns to a split.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is broken, or the two lists do not agree.
        """
        path = self._file("list_eval_partition.txt")
        if not self._source().is_dir():
            self._archive = open_archive(self._source())
        _, attributes = self._attributes()
        pictures = []
        seen = set()
        for number, line in _lines(path):
            name, _, part = line.strip().partition(" ")
            if part.strip() not in PARTITION.values():
                raise ValueError(
                    f"{path}, line {number}: expected the name of a picture and 0, 1 or 2, got "
                    f"{line.strip()!r}"
                )
            if name not in attributes:
                raise ValueError(
                    f"{path} lists {name}, but list_attr_celeba.txt has no attributes for it, only "
                    f"for {len(attributes)} other pictures. Use the two official files, or remove "
                    "the pictures without attributes from the first"
                )
            if name in seen:
                raise ValueError(f"{path}, line {number}: {name} is listed a second time")
            seen.add(name)
            if part.strip() == PARTITION[split]:
                pictures.append(Picture(name, "", attributes[name]))  # identity has the stamps
        return pictures

    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode a picture, crop it, and resize it to ``image_shape``."""
        image = open_picture(self._read(picture.name), self.image_shape[0])
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
            return read_file(self._source() / name)
        try:
            return self._archive.read(f"img_align_celeba/{name}")
        except Exception as error:  # zipfile raises many kinds of errors on broken archives
            raise ValueError(f"it cannot be read from the archive ({error})") from error

    def _stamps(self) -> dict[str, str]:
        """Return the stamp of every picture, or that of the archive."""
        source = self._source()
        if source.is_dir():
            return dict(self.files_below(source))
        return {source.name: stamp_of(source.stat())}

    def _attributes(self) -> tuple[list[str], dict[str, tuple[int, ...]]]:
        """Read the names of the attributes, and their values, 0 or 1, for every picture."""
        path = self._file("list_attr_celeba.txt")
        lines = _lines(path)
        names = lines[1][1].split() if len(lines) > 1 else []
        if len(names) != N_ATTRIBUTES:
            raise ValueError(
                f"{path}, line 2: expected the names of {N_ATTRIBUTES} attributes, got "
                f"{len(names)}; use the official file"
            )
        attributes = {}
        for number, line in lines[2:]:
            name, *values = line.split()
            if len(values) != N_ATTRIBUTES or not {"1", "-1"}.issuperset(values):
                raise ValueError(
                    f"{path}, line {number}: expected a name and {N_ATTRIBUTES} values, each 1 or "
                    f"-1, got {len(values)} values, which are {', '.join(sorted(set(values)))}"
                )
            attributes[name] = tuple(int(value == "1") for value in values)
        return names, attributes

    def _source(self) -> Path:
        """Return the folder or the archive of the pictures."""
        folder, archive = (
            self._folder() / name for name in ("img_align_celeba", "img_align_celeba.zip")
        )
        if folder.is_dir():
            return folder
        if not archive.is_file():
            raise self._missing(f"neither a folder {folder.name} nor a file {archive.name}")
        return archive

    def _file(self, name: str) -> Path:
        path = self._folder() / name
        if not path.is_file():
            raise self._missing(f"no file {name}")
        return path

    def _missing(self, found: str) -> FileNotFoundError:
        return FileNotFoundError(
            f"{self._folder()} has {found}. CelebA can only be downloaded in a browser: put "
            "img_align_celeba.zip, unpacked or not, list_attr_celeba.txt and "
            "list_eval_partition.txt there; or set data.root to the folder that contains celeba/ "
            "with them; or train on a folder of other pictures: data=folder"
        )

    def _folder(self) -> Path:
        root = Path(self.root).resolve()
        return root if (root / "list_attr_celeba.txt").is_file() else root / "celeba"


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the number and the text of every line that is not blank."""
    lines = path.read_text(errors="replace").splitlines()
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
