"""Arrays of images in npz files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from glow.data.archive import open_archive
from glow.data.cached_data_module import CachedDataModule
from glow.data.image_data_module import Batch, SplitName
from glow.data.picture_data_module import stamp_of
from glow.data.split import cut

IMAGES = ("images", "data", "x", "arr_0")
LABELS = ("labels", "label", "y", "arr_1")


@dataclass(kw_only=True, eq=False)
class NPZ(CachedDataModule):
    """Images in arrays of npz files, as ImageNet 32 and 64 are distributed.

    ``train``, ``val`` and ``test`` are patterns of file names in ``root``. A split whose pattern
    is null or finds no file is cut from the training images: 5 % of every file, always the same.
    ``root`` may also be one file, which is then all there is.

    A file has an array of uint8 images, called one of ``images``, ``data``, ``x``, ``arr_0``, of
    shape (N,C,H,W), (N,H,W,C), (N,H,W) or, in the order of the first, (N,C*H*W). It may have
    labels (N,), called ``labels``, ``label``, ``y`` or ``arr_1``, which count from ``first_label``
    (1 in ImageNet's files) and are needed for ``n_classes`` above 0.

    Raises ``FileNotFoundError`` where there are no training files, and ``ValueError`` where one
    does not hold what is described here.
    """

    train: str = "train*.npz"
    val: str | None = "val*.npz"
    test: str | None = "test*.npz"
    first_label: int = 0

    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return the files of a split, and how labels are counted."""
        files = self._files(split) or self._files("train")
        return {
            "cut": self._missing_splits(),
            "files": [[path.name, stamp_of(path.stat())] for path in files],
            "first_label": self.first_label,
            "labelled": bool(self.n_classes),
        }

    def decode(self, split: SplitName) -> Iterable[Batch]:
        """Yield the images of a split, file by file."""
        missing = self._missing_splits()
        files = self._files("train" if split in missing else split)
        for path in track(files, f"reading the {split} split"):
            images, labels = self._read(path)
            if split in ("train", *missing):
                part = cut(len(images), dict.fromkeys(missing, len(images) // 20))[split]
                images, labels = images[part], labels[part]
            yield images, labels

    def _read(self, path: Path) -> Batch:
        open_archive(path).close()
        try:
            with np.load(path) as arrays:
                images = self._as_nchw(path, _one_of(arrays, IMAGES, path))
                labels = np.zeros(len(images), dtype=np.int64)
                if self.n_classes:
                    labels = _one_of(arrays, LABELS, path)
                    if labels.dtype.kind not in "iu":
                        raise ValueError(f"{path}: labels must be integers, but are {labels.dtype}")
                    labels = labels.astype(np.int64) - self.first_label
        except ValueError:
            raise
        except Exception as error:  # zipfile and numpy raise all kinds of things on broken files
            raise ValueError(f"{path} is broken ({error})") from error
        if labels.shape != (len(images),):
            raise ValueError(f"{path}: {len(images)} images, but labels {labels.shape}")
        return torch.from_numpy(images), torch.from_numpy(labels)

    def _as_nchw(self, path: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
        channels, height, width = self.image_shape
        if images.dtype != np.uint8:
            raise ValueError(f"{path}: the images must be uint8, 0 to 255, but are {images.dtype}")
        shape = images.shape[1:]
        if shape in ((channels, height, width), (channels * height * width,)):
            return images.reshape(-1, channels, height, width)
        if shape == (height, width, channels):
            return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        if shape == (height, width) and channels == 1:
            return images[:, None]
        raise ValueError(
            f"{path}: data.image_shape is {self.image_shape}, but the array of images is "
            f"{images.shape}, which is neither (N,C,H,W) nor (N,H,W,C) nor flat"
        )

    def _files(self, split: SplitName) -> list[Path]:
        """Return the files of a split, in the order of their numbers."""
        root = Path(self.root).resolve()
        if root.is_file():
            return [root] if split == "train" else []
        pattern = {"train": self.train, "val": self.val, "test": self.test}[split]
        if pattern and Path(pattern).is_absolute():
            raise ValueError(f"data.{split} is a pattern of names in data.root, got {pattern}")
        found = sorted(root.glob(pattern) if pattern else [], key=lambda p: (len(p.name), p.name))
        if split != "train" and (both := set(found) & set(self._files("train"))):
            raise ValueError(
                f"{min(both)} matches both data.train={self.train} and data.{split}={pattern}, "
                "and would be trained and tested on"
            )
        if split == "train" and not found:
            there = sorted(path.name for path in root.glob("*"))[:8] if root.is_dir() else []
            raise FileNotFoundError(
                f"no file in {root} matches data.train={self.train}"
                + (f"; there are {', '.join(there)}" if there else ", which is no folder")
                + ". Set data.root to a folder with such files, or to one npz file, or data.train "
                "to what the files are called"
            )
        return found

    def _missing_splits(self) -> list[SplitName]:
        """Return those of val and test that have no files of their own."""
        splits: tuple[SplitName, ...] = ("val", "test")
        return [split for split in splits if not self._files(split)]


def _one_of(arrays: Any, names: Sequence[str], path: Path) -> NDArray[Any]:
    found = next((name for name in names if name in arrays), None)
    if found is None:
        raise ValueError(
            f"{path} has the arrays {', '.join(arrays)}, but none is called {', '.join(names)}"
        )
    try:
        return arrays[found]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise ValueError(f"{path} is broken ({error})") from error
        raise ValueError(
            f"{path}: {found} holds Python objects, such as images of several sizes, but must be "
            "one array"
        ) from error
