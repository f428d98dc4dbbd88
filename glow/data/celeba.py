"""CelebA, aligned and cropped, with its 40 attributes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glow.data.archive import open_archive
from glow.data.image_data_module import SplitName
from glow.data.image_file import fit, open_picture, read_file
from glow.data.picture_data_module import Picture, PictureDataModule, stamp_of

ALIGNED_SIZE = (178, 218)  # width and height of the official pictures
N_ATTRIBUTES = 40
CROPS = {  # left, upper, right, lower; what is cut under a name never changes
    "central_148_v1": (15, 35, 163, 183),
    "central_160_v1": (9, 29, 169, 189),
}
PARTITION: Mapping[SplitName, str] = {"train": "0", "val": "1", "test": "2"}


@dataclass(kw_only=True, eq=False)
class CelebA(PictureDataModule):
    """The aligned CelebA pictures, 178x218, cropped and resized, in their official splits.

    Under ``root/celeba``, or ``root`` itself, lie the official files: ``img_align_celeba``, a
    folder, or ``img_align_celeba.zip``; ``list_attr_celeba.txt``; ``list_eval_partition.txt``,
    which may list some of the pictures only. Labels are the attributes, int64 (N,40), 0 or 1, in
    the order of ``label_names``; they are no classes.

    ``crop`` is the central square that is resized to ``image_shape``: ``central_148_v1``, as most
    papers since RealNVP cut it (RealNVP's own code 5 pixels lower), or ``central_160_v1``.

    Raises ``FileNotFoundError`` where the files are not, and ``ValueError`` where they do not fit
    together.
    """

    root: str = "data"
    crop: str = "central_148_v1"
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
        """Return the crop, the files that list the pictures, and the pictures."""
        lists = [self._file("list_attr_celeba.txt"), self._file("list_eval_partition.txt")]
        return {
            "crop": self.crop,
            "lists": [stamp_of(path.stat()) for path in lists],
            "pictures": sorted(self._stamps().items()),
        }

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures of a split, as the partition has them."""
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
                    f"{path}, line {number}: {line.strip()!r} is no name and 0, 1 or 2"
                )
            if name not in attributes:
                raise ValueError(
                    f"{path} lists {name}, but list_attr_celeba.txt beside it has no attributes "
                    f"for it; it has some for {len(attributes)} pictures. Use the two official "
                    "files, or remove from the first what the other lacks"
                )
            if name in seen:
                raise ValueError(f"{path}, line {number}: {name} is listed a second time")
            seen.add(name)
            if part.strip() == PARTITION[split]:
                pictures.append(Picture(name, "", attributes[name]))  # stamps are in the identity
        return pictures

    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Return a picture, cropped and resized to ``image_shape``."""
        image = open_picture(self._read(picture.name), self.image_shape[0])
        if image.size != ALIGNED_SIZE:
            raise ValueError(
                f"it is {image.width}x{image.height}, not {ALIGNED_SIZE[0]}x{ALIGNED_SIZE[1]} as "
                "the aligned pictures are"
            )
        return self.fit_picture(image)[0]

    def fit_picture(self, picture: Image.Image) -> tuple[NDArray[np.uint8], str]:
        """Return a picture as uint8 of ``image_shape``: of one of the aligned size, the crop."""
        if picture.size != ALIGNED_SIZE:
            return super().fit_picture(picture)
        _, height, width = self.image_shape
        how = f"cropped as {self.crop} and resized to {width}x{height}"
        return fit(picture.crop(CROPS[self.crop]), height, width), how

    def _read(self, name: str) -> bytes:
        if self._archive is None:
            return read_file(self._source() / name)
        try:
            return self._archive.read(f"img_align_celeba/{name}")
        except Exception as error:  # zipfile raises all kinds of things on broken archives
            raise ValueError(f"the archive does not give it ({error})") from error

    def _stamps(self) -> dict[str, str]:
        """Return what changes when a picture does, or when the archive of all does."""
        source = self._source()
        if source.is_dir():
            return dict(self.files_below(source))
        return {source.name: stamp_of(source.stat())}

    def _attributes(self) -> tuple[list[str], dict[str, tuple[int, ...]]]:
        """Return the names of the attributes, and those of every picture, 0 or 1."""
        path = self._file("list_attr_celeba.txt")
        lines = _lines(path)
        names = lines[1][1].split() if len(lines) > 1 else []
        if len(names) != N_ATTRIBUTES:
            raise ValueError(
                f"{path}, line 2: {len(names)} names of attributes, not {N_ATTRIBUTES}; is it the "
                "official file?"
            )
        attributes = {}
        for number, line in lines[2:]:
            name, *values = line.split()
            if len(values) != N_ATTRIBUTES or not {"1", "-1"}.issuperset(values):
                raise ValueError(
                    f"{path}, line {number}: after its name a picture has {N_ATTRIBUTES} values, "
                    f"each 1 or -1, but here are {len(values)}"
                )
            attributes[name] = tuple(int(value == "1") for value in values)
        return names, attributes

    def _source(self) -> Path:
        """Return the folder or the archive of the pictures."""
        folder = self._folder() / "img_align_celeba"
        return folder if folder.is_dir() else self._file("img_align_celeba.zip")

    def _file(self, name: str) -> Path:
        path = self._folder() / name
        if not path.is_file():
            either = "neither a folder img_align_celeba nor a file " if ".zip" in name else "no "
            raise FileNotFoundError(
                f"{self._folder()} has {either}{name}. CelebA is not downloaded: its site hands "
                "out img_align_celeba.zip, list_attr_celeba.txt and list_eval_partition.txt to a "
                "browser. Put the three there, the zip unpacked or not, or set data.root to the "
                "folder that has celeba/ with them; or train on pictures of your own: data=folder"
            )
        return path

    def _folder(self) -> Path:
        root = Path(self.root).resolve()
        return root if (root / "list_attr_celeba.txt").is_file() else root / "celeba"


def _lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are not blank, and their numbers."""
    lines = path.read_text(errors="replace").splitlines()
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
