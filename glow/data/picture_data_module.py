"""The data module of sources whose images are one file each."""

import math
import os
import warnings
from abc import abstractmethod
from collections import deque
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
from glow.data.image_file import NotAPictureError, is_other_name
from glow.data.names import printable
from glow.data.system_files import is_system_name

CHUNK_BYTES = 2**24  # the size of the decoded pictures that are in memory at once
NOT_A_PICTURE = " (not a picture)"  # the end of a line about a file that is meant to be none


@dataclass(frozen=True)
class Picture:
    """One picture of a source.

    Args:
        name: Its name in the source.
        stamp: What changes whenever the file does, see ``stamp_of``.
        label: Its class, or its several labels.
    """

    name: str
    stamp: str
    label: int | tuple[int, ...] = 0


class _BadFilesError(Exception):
    """Ends the build of a cache that would lack some pictures."""


@dataclass(kw_only=True, eq=False)
class PictureDataModule(CachedDataModule):
    """A source that decodes pictures, in parallel, and reports the ones that cannot be decoded.

    A picture is bad if ``decode_picture`` raises ``ValueError`` or ``OSError`` on it. All bad
    pictures of a split are listed in a file next to the cache. ``prepare_data`` then raises
    ``ValueError``, or warns and skips them. Files that are pictures neither by their names nor by
    their content, such as ``README.txt``, are listed too, but always skipped.

    A subclass lists the pictures of a split, and decodes one.

    Args:
        on_bad_file: ``stop`` to raise an error if there are bad pictures, ``skip`` to leave them
            out.

    See ``CachedDataModule`` for the other arguments.

    Raises:
        ValueError: If ``image_shape`` has neither 1 nor 3 channels, or ``on_bad_file`` is neither
            ``stop`` nor ``skip``.
    """

    on_bad_file: Literal["stop", "skip"] = "stop"
    _found: dict[Path, list[tuple[str, str]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_shape[0] not in (1, 3):
            raise ValueError(
                "data.image_shape must have 1 or 3 channels, like the pictures in files, got "
                f"{self.image_shape[0]} channels"
            )
        if self.on_bad_file not in ("stop", "skip"):
            raise ValueError(f"data.on_bad_file must be stop or skip, got {self.on_bad_file}")

    @abstractmethod
    def pictures(self, split: SplitName) -> Sequence[Picture]:
        """Return the pictures of a split."""

    @abstractmethod
    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode a picture to a uint8 image of ``image_shape``.

        Raises:
            ValueError: If the picture is bad. The message gives the reason, without its name.
            OSError: If it cannot be read.
        """

    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return the names, stamps and labels of the pictures, and the limit of their size."""
        pictures = [[p.name, p.stamp, p.label] for p in self.pictures(split)]
        return {"pictures": pictures, "max_pixels": self.max_pixels}

    def prepare_data(self) -> None:
        """Decode the splits that are not in the cache yet, and report bad pictures.

        Raises:
            ValueError: If there are bad pictures and ``on_bad_file`` is ``stop``.
        """
        for split in SPLITS:
            with suppress(_BadFilesError):  # to report those of all splits together
                self.build(split)
        self._report_bad_files()

    def decode(self, split: SplitName) -> Iterator[Batch]:
        """Yield the pictures of a split that can be decoded, and list the others in a file."""
        pictures = self.pictures(split)
        bad = []
        with ThreadPoolExecutor() as pool:
            size = max(1, CHUNK_BYTES // math.prod(self.image_shape))
            starts = range(0, len(pictures), size)
            for start in track(starts, f"decoding the {split} split"):
                chunk = pictures[start : start + size]
                images, labels = [], []
                for picture, result in zip(chunk, pool.map(self._try_decode, chunk), strict=True):
                    if isinstance(result, str):
                        bad.append(printable(f"{picture.name}: {result}"))
                    else:
                        images.append(result)
                        labels.append(picture.label)
                if images:
                    yield torch.from_numpy(np.stack(images)), torch.tensor(labels)
        self._write_bad_files(split, bad)
        if self.on_bad_file == "stop" and not all(line.endswith(NOT_A_PICTURE) for line in bad):
            raise _BadFilesError

    def files_below(self, folder: Path) -> list[tuple[str, str]]:
        """List the files in a folder, at any depth.

        Hidden files and folders and those of systems are left out, see ``is_system_name``. A folder
        that can be reached on several ways, through links, is searched once, so that no picture is
        in two splits.

        Returns:
            The path of every file, relative to the folder, and its stamp, sorted by path.
        """
        if folder not in self._found:
            self._found[folder] = sorted(_scan(str(folder)))
        return self._found[folder]

    def bad_files_report(self, split: SplitName) -> Path:
        """Return the path of the list of bad pictures; it exists only if a split has some."""
        path = self.cache(split).path
        return path.with_name(f"{path.name}.bad_files.txt")

    def _try_decode(self, picture: Picture) -> NDArray[np.uint8] | str:
        """Return the image, or why there is none."""
        try:
            return self.decode_picture(picture)
        except (ValueError, OSError) as error:
            other = isinstance(error, NotAPictureError) and is_other_name(picture.name)
            return f"{error}{NOT_A_PICTURE if other else ''}"

    def _write_bad_files(self, split: SplitName, bad: Sequence[str]) -> None:
        report = self.bad_files_report(split)
        if not bad:
            report.unlink(missing_ok=True)
            return
        # Another process may be reading the report, so it is replaced in one piece.
        unfinished = report.with_name(f"{report.name}.part")
        unfinished.write_text("\n".join(bad) + "\n", encoding="utf-8")
        unfinished.replace(report)

    def _report_bad_files(self) -> None:
        """Raise or warn if there are bad pictures, also if a former run found them."""
        reports = [path for path in map(self.bad_files_report, SPLITS) if path.is_file()]
        lines = "".join(path.read_text(encoding="utf-8") for path in reports).splitlines()
        bad: list[str] = []
        others: list[str] = []
        for line in lines:
            (others if line.endswith(NOT_A_PICTURE) else bad).append(
                line.removesuffix(NOT_A_PICTURE)
            )
        where = f"All are listed in {', '.join(map(str, reports))}"
        if others:
            number = f"{len(others)} other files" if len(others) > 1 else "1 other file"
            warnings.warn(f"left out {number} ({_some(others)}). {where}", stacklevel=2)
        if not bad:
            return
        number = f"{len(bad)} pictures" if len(bad) > 1 else "1 picture"
        message = f"{number} cannot be used ({_some(bad)}). {where}. "
        if self.on_bad_file == "stop":
            raise ValueError(
                message + "Repair or remove them, or set data.on_bad_file=skip to leave them out"
            )
        warnings.warn(message + "They are left out", stacklevel=2)


def _some(lines: Sequence[str]) -> str:
    return "; ".join(lines[:5]) + ("; ..." if len(lines) > 5 else "")


def stamp_of(status: os.stat_result) -> str:
    """Return the size and times of a file, which change whenever its content does."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _scan(root: str) -> Iterator[tuple[str, str]]:
    """Yield the files below a folder and their stamps; links are followed last."""
    pending = deque([(root, "")])
    seen = set()
    while pending:
        folder, prefix = pending.popleft()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if is_system_name(entry.name):
                    continue
                try:
                    is_folder, stamp = entry.is_dir(), stamp_of(entry.stat())
                except OSError:  # a link to nothing, or to itself
                    is_folder, stamp = False, "absent"
                if not is_folder:
                    yield f"{prefix}{entry.name}", stamp
                elif entry.is_symlink():
                    pending.append((entry.path, f"{prefix}{entry.name}/"))
                else:
                    pending.appendleft((entry.path, f"{prefix}{entry.name}/"))
