"""The data module of sources whose images are files, one each."""

import math
import os
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from glow.data.cached_data_module import CachedDataModule
from glow.data.image_data_module import SPLITS, Batch, SplitName

CHUNK_BYTES = 2**24  # of pictures that are decoded ahead of being written
LEFT_BY_SYSTEMS = ("Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Picture:
    """One picture of a source: its name there, what tells that it changed, and its label."""

    name: str
    stamp: str
    label: int | tuple[int, ...] = 0


class _BadFilesError(Exception):
    """Ends the build of a cache that would lack some pictures."""


@dataclass(kw_only=True, eq=False)
class PictureDataModule(CachedDataModule):
    """A source that decodes pictures, in parallel, and bears with bad ones or does not.

    A picture whose decoding raises ``ValueError`` or ``OSError`` is bad. All of them are counted,
    and named in a file beside the cache of their split; then they are left out with
    ``on_bad_file="skip"``, else ``prepare_data`` raises ``ValueError``. Raises ``ValueError`` where
    ``image_shape`` has neither 1 channel nor 3.
    """

    on_bad_file: Literal["stop", "skip"] = "stop"
    _found: dict[Path, list[tuple[str, str]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_shape[0] not in (1, 3):
            raise ValueError(
                "pictures from files have 1 channel or 3, but data.image_shape asks for "
                f"{self.image_shape[0]}"
            )
        if self.on_bad_file not in ("stop", "skip"):
            raise ValueError(f"data.on_bad_file must be stop or skip, got {self.on_bad_file}")

    @abstractmethod
    def pictures(self, split: SplitName) -> Sequence[Picture]:
        """Return the pictures of a split."""

    @abstractmethod
    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Return a picture as uint8 of ``image_shape``."""

    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return the names, stamps and labels of the pictures."""
        return {"pictures": [[p.name, p.stamp, p.label] for p in self.pictures(split)]}

    def prepare_data(self) -> None:
        """Decode what is not decoded yet, and tell of all that cannot be."""
        for split in SPLITS:
            with suppress(_BadFilesError):  # the other splits may have some, too
                self.build(split)
        self._tell_of_bad_files()

    def decode(self, split: SplitName) -> Iterator[Batch]:
        """Yield the pictures of a split that can be decoded."""
        pictures = self.pictures(split)
        bad = []
        with ThreadPoolExecutor() as pool:
            size = max(1, CHUNK_BYTES // math.prod(self.image_shape))
            starts = range(0, len(pictures), size)
            for start in track(starts, f"decoding the {split} split"):
                chunk = pictures[start : start + size]
                images, labels = [], []
                for picture, result in zip(chunk, pool.map(self._attempt, chunk), strict=True):
                    if isinstance(result, str):
                        bad.append(f"{picture.name}: {result}".replace("\n", " "))
                    else:
                        images.append(result)
                        labels.append(picture.label)
                if images:
                    yield torch.from_numpy(np.stack(images)), torch.tensor(labels)
        report = self.bad_files_report(split)
        report.unlink(missing_ok=True)
        if bad:
            report.write_text("\n".join(bad) + "\n", errors="surrogateescape")
            if self.on_bad_file == "stop":
                raise _BadFilesError

    def files_below(self, folder: Path) -> list[tuple[str, str]]:
        """Return the name below a folder, and the stamp, of everything in it that is no folder.

        In the order of the names, at any depth, but for what is hidden. A link back to a folder
        that it lies in is not followed. Every folder is looked through once.
        """
        if folder not in self._found:
            self._found[folder] = sorted(_scan(str(folder), "", frozenset()))
        return self._found[folder]

    def bad_files_report(self, split: SplitName) -> Path:
        """Return the file that names the bad pictures of a split, where there are any."""
        path = self.cache(split).path
        return path.with_name(f"{path.name}.bad_files.txt")

    def _attempt(self, picture: Picture) -> NDArray[np.uint8] | str:
        try:
            return self.decode_picture(picture)
        except (ValueError, OSError) as error:
            return str(error)

    def _tell_of_bad_files(self) -> None:
        """Stop or warn, also where the bad files were found when the cache was built before."""
        reports = [path for path in map(self.bad_files_report, SPLITS) if path.is_file()]
        bad = "".join(path.read_text(errors="surrogateescape") for path in reports).splitlines()
        if not bad:
            return
        some = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
        told = (
            f"{len(bad)} pictures cannot be used ({some}). All are listed in "
            f"{', '.join(map(str, reports))}. "
        )
        if self.on_bad_file == "stop":
            raise ValueError(
                told + "Mend or remove them, or leave them out with data.on_bad_file=skip"
            )
        warnings.warn(told + "They are left out", stacklevel=2)


def stamp_of(status: os.stat_result) -> str:
    """Return what changes when a file does."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _scan(folder: str, prefix: str, above: frozenset[str]) -> Iterator[tuple[str, str]]:
    real = os.path.realpath(folder)
    if real in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in LEFT_BY_SYSTEMS:
                continue
            try:
                is_folder, stamp = entry.is_dir(), stamp_of(entry.stat())
            except OSError:  # a link to nowhere, or to itself
                is_folder, stamp = False, "absent"
            if is_folder:
                yield from _scan(entry.path, f"{prefix}{entry.name}/", above | {real})
            else:
                yield f"{prefix}{entry.name}", stamp
