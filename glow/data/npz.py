"""Arrays of images in npz files and pickled batches."""

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
from glow.data.pickled_arrays import read_pickled_arrays
from glow.data.picture_data_module import stamp_of
from glow.data.split import split_indices
from glow.data.system_files import is_system_name

IMAGES = ("images", "data", "x", "arr_0")
LABELS = ("labels", "label", "y", "arr_1")


@dataclass(kw_only=True, eq=False)
class NPZ(CachedDataModule):
    """Images in arrays of npz files or pickled dicts, as ImageNet 32 and 64 are distributed.

    A file has an array of uint8 images, named ``images``, ``data``, ``x`` or ``arr_0``, of the
    shape (N,C,H,W), (N,H,W,C), (N,H,W) or (N,C*H*W), the latter in the order C, H, W. It may have
    integer labels (N,), named ``labels``, ``label``, ``y`` or ``arr_1``, which are needed if
    ``n_classes`` is not 0. No code in a pickled file is run.

    A split without files gets 5 % of the images of every training file, always the same ones.

    Args:
        root: The folder of the files, or a single file.
        train: A pattern for the names of the training files.
        val: A pattern for the names of the validation files; None takes training images.
        test: A pattern for the names of the test files; None takes training images.
        first_label: The label of the first class, 1 in the files of ImageNet.

    See ``CachedDataModule`` for the other arguments.
    """

    train: str = "train*.npz"
    val: str | None = "val*.npz"
    test: str | None = "test*.npz"
    first_label: int = 0

    def origin(self, split: SplitName) -> str:
        """Return the first file of a split and the number of the others."""
        files, part = self._files(split), ""
        if not files:
            files, part = self._files("train"), "a part of "
        return f"{part}{files[0]}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")

    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return the files that a split is read from, and how."""
        files = self._files(split) or self._files("train")
        return {
            "cut": self._missing_splits(),
            "files": [[path.name, stamp_of(path.stat())] for path in files],
            "first_label": self.first_label,
            "labelled": bool(self.n_classes),
        }

    def decode(self, split: SplitName) -> Iterable[Batch]:
        """Yield the images of a split, file by file.

        Raises:
            FileNotFoundError: If there are no training files.
            ValueError: If a file is not as described above.
        """
        missing = self._missing_splits()
        files = self._files("train" if split in missing else split)
        for path in track(files, f"reading the {split} split"):
            images, labels = self._read(path)
            if split in ("train", *missing):
                sizes = dict.fromkeys(missing, len(images) // 20)
                indices = split_indices(len(images), sizes)[split]
                images, labels = images[indices], labels[indices]
            yield images, labels

    def _read(self, path: Path) -> Batch:
        with path.open("rb") as file:
            start = file.read(512).lstrip()[:1]
        if start not in (b"", b"P", b"<"):  # neither an archive nor a web page
            return self._batch(path, read_pickled_arrays(path))
        open_archive(path).close()
        try:
            with np.load(path) as arrays:
                return self._batch(path, arrays)
        except ValueError:
            raise
        except Exception as error:  # zipfile and numpy raise many kinds of errors on broken files
            raise ValueError(f"{path} is broken ({error})") from error

    def _batch(self, path: Path, arrays: Mapping[str, Any]) -> Batch:
        """Return the images of a file and their labels, which are 0 if they are not needed."""
        images = self._as_nchw(path, _one_of(arrays, IMAGES, path))
        labels = np.zeros(len(images), dtype=np.int64)
        if self.n_classes:
            labels = _one_of(arrays, LABELS, path)
            if labels.dtype.kind not in "iu":
                raise ValueError(f"{path}: labels must be integers, got {labels.dtype}")
            labels = labels.astype(np.int64) - self.first_label
        if labels.shape != (len(images),):
            raise ValueError(
                f"{path}: the {len(images)} images must have labels of the shape "
                f"({len(images)},), got {labels.shape}"
            )
        return torch.from_numpy(images), torch.from_numpy(labels)

    def _as_nchw(self, path: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
        channels, height, width = self.image_shape
        if images.dtype != np.uint8:
            raise ValueError(f"{path}: images must be uint8, from 0 to 255, got {images.dtype}")
        shape = images.shape[1:]
        if shape in ((channels, height, width), (channels * height * width,)):
            return images.reshape(-1, channels, height, width)
        if shape == (height, width, channels):
            return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        if shape == (height, width) and channels == 1:
            return images[:, None]
        raise ValueError(
            f"{path}: the array of images must be (N,C,H,W), (N,H,W,C) or flat with "
            f"data.image_shape={self.image_shape}, got {images.shape}"
        )

    def _files(self, split: SplitName) -> list[Path]:
        """Return the files of a split, in the order of their numbers."""
        root = Path(self.root).resolve()
        if root.is_file():
            return [root] if split == "train" else []
        pattern = {"train": self.train, "val": self.val, "test": self.test}[split]
        if pattern and Path(pattern).is_absolute():
            raise ValueError(
                f"data.{split} must be a pattern for names in data.root, not an absolute path, got "
                f"{pattern}"
            )
        matches = root.glob(pattern) if pattern else []
        files = [path for path in matches if path.is_file() and not is_system_name(path.name)]
        found = sorted(files, key=lambda path: (len(path.name), path.name))
        if split != "train" and (both := set(found) & set(self._files("train"))):
            raise ValueError(
                f"data.train and data.{split} must not match the same file, got {min(both)} for "
                f"data.train={self.train} and data.{split}={pattern}"
            )
        if split == "train" and not found:
            there = sorted(path.name for path in root.glob("*"))[:8] if root.is_dir() else []
            raise FileNotFoundError(
                f"no file in {root} matches data.train={self.train}"
                + (f"; there are {', '.join(there)}" if there else ", which is not a folder")
                + ". Set data.root to a folder with such files or to one file, or data.train, "
                "data.val and data.test to patterns for their names"
            )
        return found

    def _missing_splits(self) -> list[SplitName]:
        """Return which of val and test have no files."""
        splits: tuple[SplitName, ...] = ("val", "test")
        return [split for split in splits if not self._files(split)]


def _one_of(arrays: Mapping[str, Any], names: Sequence[str], path: Path) -> NDArray[Any]:
    """Read the first array that has one of the names."""
    found = next((name for name in names if name in arrays), None)
    if found is None:
        raise ValueError(
            f"{path} must have an array named {', '.join(names[:-1])} or {names[-1]}, got "
            f"{', '.join(list(arrays)[:8])}"
        )
    try:
        return np.asarray(arrays[found])
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise ValueError(f"{path} is broken ({error})") from error
        raise ValueError(
            f"{path}: {found} must be one array, but holds Python objects, such as images of "
            "several sizes"
        ) from error
