"""Decoded images in a memory-mapped file that is written once."""

import hashlib
import json
import mmap
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

# Without this flag Linux demands as much free memory as the file is long. (Python 3.13 names it.)
MAP_NORESERVE = 0x4000 if sys.platform == "linux" else 0
FORMAT = 2  # the version of the files; raise it when the same pictures are decoded differently


class DecodedCache:
    """The decoded images of one split, in a folder named after everything that they depend on.

    The name ends in a hash of ``identity``, so a changed source or setting has another folder. The
    folder holds ``images.bin``, uint8 (N,C,H,W); ``labels.npy``, int64 (N,...); and the shape of
    the images in ``about.json``.

    It is written under another name and a lock, and is renamed when it is complete. A build that
    was interrupted never looks complete, and of several processes that start to build at once only
    one does.

    Args:
        folder: The folder of all caches.
        name: How the name of this cache begins.
        identity: What images and labels depend on, as JSON can represent it.
    """

    def __init__(self, folder: Path, name: str, identity: Mapping[str, Any]) -> None:
        text = json.dumps({"format": FORMAT, **identity}, sort_keys=True)
        self.path = folder / f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def build(
        self,
        decode: Callable[[], Iterable[tuple[Tensor, Tensor]]],
        image_shape: tuple[int, int, int],
    ) -> None:
        """Write images and labels to the cache unless it is complete.

        Args:
            decode: A function that yields images (n,C,H,W) and labels (n,...) in chunks.
            image_shape: The shape (C,H,W) that every image must have.

        Raises:
            ValueError: If images have another shape.
        """
        if self.path.is_dir():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            if self.path.is_dir():  # another process built it while this one waited
                return
            unfinished = self.path.with_name(f"{self.path.name}.part")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            try:
                self._write(unfinished, decode(), image_shape)
                unfinished.rename(self.path)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise

    @staticmethod
    def _write(
        folder: Path, chunks: Iterable[tuple[Tensor, Tensor]], image_shape: tuple[int, int, int]
    ) -> None:
        all_labels = [np.empty(0, dtype=np.int64)]
        with (folder / "images.bin").open("wb") as file:
            for images, labels in chunks:
                if images.shape[1:] != image_shape:
                    raise ValueError(
                        f"data.image_shape must be {tuple(images.shape[1:])}, the shape of the "
                        f"images, got {image_shape}"
                    )
                file.write(images.numpy().tobytes())
                all_labels.append(labels.numpy())
        together = np.concatenate(all_labels[1:] or all_labels)
        np.save(folder / "labels.npy", together)
        about = {"shape": [len(together), *image_shape]}
        (folder / "about.json").write_text(json.dumps(about) + "\n")
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())

    def open(self) -> tuple[Tensor, Tensor]:
        """Map the images into memory, and read the labels.

        Returns:
            uint8 images (N,C,H,W), which stay on disk until they are read, and labels (N,...).

        Raises:
            FileNotFoundError: If the cache has not been built.
            ValueError: If its files are damaged.
        """
        if not self.path.is_dir():
            raise FileNotFoundError(f"{self.path} does not exist: call prepare_data first")
        path = self.path / "images.bin"
        try:
            shape = tuple(json.loads((self.path / "about.json").read_text())["shape"])
            labels = torch.from_numpy(np.load(self.path / "labels.npy"))
            if path.stat().st_size != np.prod(shape) or len(labels) != shape[0]:
                raise ValueError("images.bin and labels.npy must have the sizes in about.json")
        except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
            raise ValueError(
                f"the decoded images in {self.path} are damaged ({error}): delete this folder, and "
                "they are decoded again"
            ) from error
        if not len(labels):
            return torch.empty(shape, dtype=torch.uint8), labels
        # torch wants writable memory; because the map is private, writing never reaches the file.
        flags, rights = mmap.MAP_PRIVATE | MAP_NORESERVE, mmap.PROT_READ | mmap.PROT_WRITE
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, flags, rights)
        return torch.frombuffer(mapped, dtype=torch.uint8).view(shape), labels
