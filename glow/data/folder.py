"""Any folder of pictures."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glow.data.decoded_cache import DecodedCache, Picture
from glow.data.image_data_module import Batch, ImageDataModule, SplitName
from glow.data.image_file import decode_image

SPLIT_FOLDERS: Mapping[SplitName, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}


@dataclass(kw_only=True, eq=False)
class Folder(ImageDataModule):
    """All pictures below ``root``, in whatever folders: png, jpeg, webp or bmp.

    Where ``root`` has folders ``train``, ``val`` (or ``valid``, ``validation``) and ``test``, they
    are the splits. Pictures for which there is no such folder are split by a hash of their names,
    which never changes: 5 % of them to each split that is missing. With ``n_classes`` above 0, the
    folders next below are the classes, in the order of their names.

    Pictures are decoded once, into ``cache_dir``; see ``decode_image`` for how they get
    ``image_shape``, and ``DecodedCache`` for what becomes of a changed source. Files that are no
    pictures stop the training with their list, or are left out with ``on_bad_file="skip"``.

    Raises ``FileNotFoundError`` where there is no such folder, and ``ValueError`` where its
    pictures or classes are not as announced.
    """

    root: str
    cache_dir: str = "data/cache"
    on_bad_file: Literal["stop", "skip"] = "stop"
    _found: dict[Path, list[tuple[str, str]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_shape[0] not in (1, 3):
            raise ValueError(
                "pictures from files have 1 channel or 3, but data.image_shape asks for "
                f"{self.image_shape[0]}"
            )
        if Path(self.cache_dir).resolve().is_relative_to(Path(self.root).resolve()):
            raise ValueError(
                f"data.cache_dir, {self.cache_dir}, lies within data.root, {self.root}, and would "
                "be taken for pictures: set it to a folder elsewhere"
            )
        if self.on_bad_file not in ("stop", "skip"):
            raise ValueError(f"data.on_bad_file must be stop or skip, got {self.on_bad_file}")

    def prepare_data(self) -> None:
        """Decode what is not decoded yet."""
        for split in SPLIT_FOLDERS:
            self._cache(split).build(
                self._decode, self.image_shape, skip_bad=self.on_bad_file == "skip"
            )

    def read(self, split: SplitName) -> Batch:
        """Open the decoded pictures of a split."""
        return self._cache(split).open()

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures of a split, in the order of their names."""
        root = Path(self.root)
        if not root.is_dir():
            raise FileNotFoundError(
                f"there is no folder {root.resolve()}: set data.root to a folder of pictures, with "
                "or without train, val and test within it"
            )
        folders = {name: _first_folder(root, names) for name, names in SPLIT_FOLDERS.items()}
        if any(folders.values()) and not folders["train"]:
            raise ValueError(f"{root} has folders for some splits, but none that is called train")
        missing = [name for name in ("val", "test") if not folders[name]]
        below = folders["train" if split in missing else split] or root
        files = self._files(below)
        labels = self._labels(below, [name for name, _ in files])
        prefix = below.relative_to(root).as_posix() + "/" if below != root else ""
        return [
            Picture(prefix + name, stamp, label)
            for (name, stamp), label in zip(files, labels, strict=True)
            if split not in ("train", *missing) or _split_by_hash(name, missing) == split
        ]

    def _files(self, below: Path) -> list[tuple[str, str]]:
        """Return the name below a folder, and size and time, of every file, in order; look once."""
        if below not in self._found:
            self._found[below] = sorted(_scan(str(below), ""))
        return self._found[below]

    def _labels(self, below: Path, names: list[str]) -> list[int]:
        if not self.n_classes:
            return [0] * len(names)
        classes = sorted(p.name for p in below.iterdir() if p.is_dir() and p.name[0] != ".")
        if len(classes) != self.n_classes:
            raise ValueError(
                f"data.n_classes is {self.n_classes}, but {below} has {len(classes)} folders to be "
                f"classes ({', '.join(classes[:12])}); 0 does without classes"
            )
        stray = [name for name in names if "/" not in name]
        if stray:
            raise ValueError(
                f"{stray[0]} lies in none of the class folders of {below}: move it into one, or "
                "set data.n_classes=0"
            )
        number = {name: i for i, name in enumerate(classes)}
        return [number[name.partition("/")[0]] for name in names]

    def _decode(self, picture: Picture) -> NDArray[np.uint8]:
        return decode_image((Path(self.root) / picture.name).read_bytes(), self.image_shape)

    def _cache(self, split: SplitName) -> DecodedCache:
        identity: dict[str, Any] = {"image_shape": list(self.image_shape)}
        name = f"{Path(self.root).resolve().name}_{split}"
        return DecodedCache(Path(self.cache_dir), name, identity, self.pictures(split))


def _first_folder(root: Path, names: tuple[str, ...]) -> Path | None:
    return next((root / name for name in names if (root / name).is_dir()), None)


def _scan(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield name and stamp of the files below a folder, but for what is hidden."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if entry.is_symlink() and os.path.realpath(folder).startswith(
                    os.path.realpath(entry.path)
                ):
                    continue  # a link to a folder that it lies in
                yield from _scan(entry.path, f"{prefix}{entry.name}/")
            elif entry.is_file():
                status = entry.stat()
                yield f"{prefix}{entry.name}", f"{status.st_size} {status.st_mtime_ns}"


def _split_by_hash(name: str, missing: Sequence[str]) -> str:
    """Return ``train``, or one of the missing splits for 5 % of the names each."""
    percent = int(hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8], 16) % 100
    part = percent // 5
    return missing[part] if part < len(missing) else "train"
