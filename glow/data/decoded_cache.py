"""Decoded images in a memory-mapped file, made once."""

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

# Linux would else want as much free memory as the file is long. (Python knows the name from 3.13.)
MAP_NORESERVE = 0x4000 if sys.platform == "linux" else 0
FORMAT = 1  # of the files; raise it when what decoding gives changes


class DecodedCache:
    """The decoded images of one split, under a name made from all that they depend on.

    ``identity`` is that, as JSON can write it; the key is its hash. ``images.bin`` holds uint8
    (N,C,H,W), ``labels.npy`` int64 (N,...), ``about.json`` the shape. The folder is made under
    another name and renamed when it is whole, under a lock, so that a build that was killed never
    looks finished, and two that start at once make one.
    """

    def __init__(self, folder: Path, name: str, identity: Mapping[str, Any]) -> None:
        text = json.dumps({"format": FORMAT, **identity}, sort_keys=True)
        self.path = folder / f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    def build(
        self,
        decode: Callable[[], Iterable[tuple[Tensor, Tensor]]],
        image_shape: tuple[int, int, int],
    ) -> None:
        """Write the batches of images and labels that ``decode`` yields, unless that was done.

        Raises ``ValueError`` where an image is not of ``image_shape``.
        """
        if self.path.is_dir():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            if self.path.is_dir():  # another process has built it meanwhile
                return
            part = self.path.with_name(f"{self.path.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            try:
                self._write(part, decode(), image_shape)
                part.rename(self.path)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise

    @staticmethod
    def _write(
        folder: Path, batches: Iterable[tuple[Tensor, Tensor]], image_shape: tuple[int, int, int]
    ) -> None:
        labels = [np.empty(0, dtype=np.int64)]
        with (folder / "images.bin").open("wb") as file:
            for some_images, some_labels in batches:
                if some_images.shape[1:] != image_shape:
                    raise ValueError(
                        f"data.image_shape is {image_shape}, but the images are "
                        f"{tuple(some_images.shape[1:])}"
                    )
                file.write(some_images.numpy().tobytes())
                labels.append(some_labels.numpy())
        together = np.concatenate(labels[1:] or labels)
        np.save(folder / "labels.npy", together)
        about = {"shape": [len(together), *image_shape]}
        (folder / "about.json").write_text(json.dumps(about) + "\n")
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())

    def open(self) -> tuple[Tensor, Tensor]:
        """Return images (N,C,H,W), which stay on the disk until they are read, and labels (N,...).

        Raises ``FileNotFoundError`` where nothing was built, and ``ValueError`` where the files are
        not as they were written.
        """
        if not self.path.is_dir():
            raise FileNotFoundError(f"there is no {self.path}: call prepare_data first")
        path = self.path / "images.bin"
        try:
            shape = tuple(json.loads((self.path / "about.json").read_text())["shape"])
            labels = torch.from_numpy(np.load(self.path / "labels.npy"))
            if path.stat().st_size != np.prod(shape) or len(labels) != shape[0]:
                raise ValueError("its files are not of the size that they had")
        except (OSError, ValueError, LookupError, TypeError, EOFError) as error:
            raise ValueError(
                f"the decoded images in {self.path} are damaged ({error}): delete that folder, and "
                "they are decoded anew"
            ) from error
        if not len(labels):
            return torch.empty(shape, dtype=torch.uint8), labels
        # Writable, as torch wants it, but private: what is written goes to no file.
        flags, rights = mmap.MAP_PRIVATE | MAP_NORESERVE, mmap.PROT_READ | mmap.PROT_WRITE
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, flags, rights)
        return torch.frombuffer(mapped, dtype=torch.uint8).view(shape), labels
