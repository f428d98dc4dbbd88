"""Decoded pictures in a memory-mapped file, made once."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

CHUNK = 1024  # pictures that are decoded ahead of being written
FORMAT = 1  # of the files; raise it when what decoding gives changes


@dataclass(frozen=True)
class Picture:
    """One picture of a source: its name there, what identifies its content, and its label."""

    name: str
    stamp: str
    label: int


class DecodedCache:
    """The decoded pictures of one split, under a name made from all that changes a pixel.

    ``identity`` says how pictures are decoded; with the names, stamps and labels of the pictures it
    makes the key. ``images.bin`` holds uint8 (N,C,H,W), ``labels.npy`` int64 (N,), ``about.json``
    the rest. The folder is made under another name and renamed when it is whole, under a lock, so
    that a build that was killed never looks finished, and two that start at once make one.
    """

    def __init__(
        self, folder: Path, name: str, identity: Mapping[str, Any], pictures: Sequence[Picture]
    ) -> None:
        about = {"format": FORMAT, **identity}
        listing = [[p.name, p.stamp, p.label] for p in pictures]
        text = json.dumps([about, listing], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.path = folder / f"{name}_{key}"
        self.about = about
        self.pictures = pictures

    def build(
        self,
        decode: Callable[[Picture], NDArray[np.uint8]],
        image_shape: tuple[int, int, int],
        *,
        skip_bad: bool,
    ) -> None:
        """Decode every picture, in parallel, unless that has been done.

        A picture whose decoding raises ``ValueError`` or ``OSError`` is bad: all of them are named
        in a file beside the cache, and then left out with ``skip_bad``; else ``ValueError`` is
        raised.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            if (self.path / "about.json").is_file():
                return
            part = self.path.with_name(f"{self.path.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            labels, bad = [], []
            with (part / "images.bin").open("wb") as images:
                for picture, decoded in self._decoded(decode):
                    if isinstance(decoded, str):
                        bad.append(f"{picture.name}: {decoded}")
                    else:
                        images.write(decoded.tobytes())
                        labels.append(picture.label)
                images.flush()
                os.fsync(images.fileno())
            if bad:
                self._report(bad, skip_bad=skip_bad)
            np.save(part / "labels.npy", np.asarray(labels, dtype=np.int64))
            about = {**self.about, "shape": [len(labels), *image_shape], "bad_files": len(bad)}
            (part / "about.json").write_text(json.dumps(about, indent=2) + "\n")
            part.rename(self.path)

    def open(self) -> tuple[Tensor, Tensor]:
        """Return images (N,C,H,W), which stay on the disk until they are read, and labels (N,)."""
        about = json.loads((self.path / "about.json").read_text())
        shape = tuple(about["shape"])
        labels = torch.from_numpy(np.load(self.path / "labels.npy"))
        if not len(labels):
            return torch.empty(shape, dtype=torch.uint8), labels
        # Copy on write: torch would warn of memory that it must not write to.
        images = np.memmap(self.path / "images.bin", dtype=np.uint8, mode="c", shape=shape)
        return torch.from_numpy(images), labels

    def _decoded(
        self, decode: Callable[[Picture], NDArray[np.uint8]]
    ) -> Iterator[tuple[Picture, NDArray[np.uint8] | str]]:
        def attempt(picture: Picture) -> NDArray[np.uint8] | str:
            try:
                return decode(picture)
            except (ValueError, OSError) as error:
                return str(error)

        starts = range(0, len(self.pictures), CHUNK)
        with ThreadPoolExecutor() as pool:
            for start in track(starts, f"decoding {self.path.name}", transient=True):
                chunk = self.pictures[start : start + CHUNK]
                yield from zip(chunk, pool.map(attempt, chunk), strict=True)

    def _report(self, bad: Sequence[str], *, skip_bad: bool) -> None:
        report = self.path.with_name(f"{self.path.name}.bad_files.txt")
        report.write_text("\n".join(bad) + "\n", errors="surrogateescape")
        if not skip_bad:
            some = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
            raise ValueError(
                f"{len(bad)} of {len(self.pictures)} pictures cannot be used ({some}). {report} "
                "lists them all. Mend or remove them, or leave them out with data.on_bad_file=skip"
            )
