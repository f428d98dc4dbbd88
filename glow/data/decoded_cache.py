"""Decoded images in a memory-mapped file, made once."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

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
        """Write the batches of images and labels that ``decode`` yields, unless that was done."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            if self.path.is_dir():
                return
            part = self.path.with_name(f"{self.path.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            labels = [np.empty(0, dtype=np.int64)]
            with (part / "images.bin").open("wb") as file:
                for some_images, some_labels in decode():
                    file.write(some_images.numpy().tobytes())
                    labels.append(some_labels.numpy())
                file.flush()
                os.fsync(file.fileno())
            together = np.concatenate(labels[1:] or labels)
            np.save(part / "labels.npy", together)
            about = {"shape": [len(together), *image_shape]}
            (part / "about.json").write_text(json.dumps(about) + "\n")
            part.rename(self.path)

    def open(self) -> tuple[Tensor, Tensor]:
        """Return images (N,C,H,W), which stay on the disk until they are read, and labels (N,...).

        Raises ``ValueError`` where the files are not as they were written.
        """
        images = self.path / "images.bin"
        try:
            shape = tuple(json.loads((self.path / "about.json").read_text())["shape"])
            labels = torch.from_numpy(np.load(self.path / "labels.npy"))
            if images.stat().st_size != np.prod(shape) or len(labels) != shape[0]:
                raise ValueError("its files are not of the size that they had")
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"the decoded images in {self.path} are damaged ({error}): delete that folder, and "
                "they are decoded anew"
            ) from error
        if not len(labels):
            return torch.empty(shape, dtype=torch.uint8), labels
        # Copy on write: torch would warn of memory that it must not write to.
        return torch.from_numpy(np.memmap(images, np.uint8, "c", shape=shape)), labels
