"""CIFAR-10, from torchvision's files or from a folder of pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torchvision.datasets import CIFAR10 as TorchvisionCIFAR10  # noqa: N811

from glow.data.download import download_once
from glow.data.image_data_module import Batch, SplitName
from glow.data.image_file import fit, is_picture, open_picture, read_file
from glow.data.picture_data_module import Picture, PictureDataModule
from glow.data.split import split_indices

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
SIZE = 32


@dataclass(kw_only=True, eq=False)
class CIFAR10(PictureDataModule):
    """CIFAR-10 at 3x32x32: 50,000 images minus ``n_val`` for training, and 10,000 for testing.

    The images are in ``root``, either in ``cifar-10-batches-py``, as torchvision saves them, or as
    pictures in ``cifar10/{train,test}/<class>/``. The validation images of a layout are always the
    same, but the two layouts store the images in different orders, so theirs differ.

    Args:
        root: The folder that contains one of the two.
        download: Whether to download torchvision's files if both are absent.
        n_val: How many of the training images are set aside for validation; 0 to train on all.

    See ``PictureDataModule`` for the other arguments.

    Raises:
        ValueError: If ``image_shape`` is not (3, 32, 32).
    """

    root: str = "data"
    download: bool = True
    n_val: int = 5000
    image_shape: tuple[int, int, int] = (3, SIZE, SIZE)
    n_classes: int = len(CLASSES)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_shape != (3, SIZE, SIZE):
            raise ValueError(
                f"data.image_shape must be (3, {SIZE}, {SIZE}) for CIFAR-10, got "
                f"{self.image_shape}; data=folder fits pictures to any shape"
            )

    @property
    def label_names(self) -> list[str]:
        """The ten classes."""
        return list(CLASSES)

    @property
    def validates(self) -> bool:
        """Whether there are validation images."""
        return self.n_val != 0

    def prepare_data(self) -> None:
        """Download the images if they are absent, and decode the splits that are not in the cache.

        Raises:
            FileNotFoundError: If the images are absent and cannot be downloaded.
            ValueError: If files are broken.
        """
        absent = not self._pictures.is_dir() and not self._batches.is_dir()
        try:
            if self.download:
                lock_path = Path(self.root) / f"{TorchvisionCIFAR10.base_folder}.lock"
                download_once(self._download, lock_path, absent=absent)
            elif absent:
                TorchvisionCIFAR10(self.root)
        except (RuntimeError, OSError) as error:
            raise FileNotFoundError(
                f"CIFAR-10 is neither in {self._batches} nor in {self._pictures} ({error}). Put "
                "the official python version there, or pictures in cifar10/train/<class> and "
                "cifar10/test/<class>; or set data.root to a folder that contains one of the two; "
                "or set data.download=true on a machine with network access; or train on data that "
                "needs no download: experiment=digits"
            ) from error
        super().prepare_data()

    def origin(self, split: SplitName) -> str:
        """Return the folder of the pictures, or that of torchvision's files."""
        return str(self._pictures if self._pictures.is_dir() else self._batches)

    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return the files of a split."""
        if self._pictures.is_dir():
            return super().identity(split)
        files = self.files_below(self._batches)
        return {"files": files, "n_val": self.n_val}

    def decode(self, split: SplitName) -> Iterator[Batch]:
        """Yield the images of a split, from pictures if there are any."""
        return super().decode(split) if self._pictures.is_dir() else self._decode_batches(split)

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures of a split.

        Raises:
            FileNotFoundError: If there is no folder for the split.
            ValueError: If a picture is not in the folder of a class.
        """
        folder = self._pictures / ("test" if split == "test" else "train")
        if not folder.is_dir():
            raise FileNotFoundError(f"{self._pictures} has no folder {folder.name}")
        found = [
            Picture(f"{folder.name}/{name}", stamp, self._label(folder, name))
            for name, stamp in self.files_below(folder)
            if "/" in name or is_picture(folder / name)
        ]
        return [found[i] for i in self._indices(len(found), split)]

    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Decode a picture to uint8 (3,32,32)."""
        image = open_picture(read_file(self._pictures / picture.name), 3, self.max_pixels)
        if image.size != (SIZE, SIZE):
            raise ValueError(f"it is {image.width}x{image.height} instead of {SIZE}x{SIZE}")
        return fit(image, SIZE, SIZE)

    def _download(self) -> None:
        if not self._pictures.is_dir():
            TorchvisionCIFAR10(self.root, download=True)

    def _decode_batches(self, split: SplitName) -> Iterator[Batch]:
        try:
            cifar10 = TorchvisionCIFAR10(self.root, train=split != "test")
        except RuntimeError as error:  # a wrong checksum
            raise ValueError(
                f"the files in {self._batches} are broken or incomplete: delete that folder and "
                "download it again"
            ) from error
        images = rearrange(torch.from_numpy(cifar10.data), "n h w c -> n c h w")
        labels = torch.tensor(cifar10.targets)
        indices = self._indices(len(images), split)
        yield images[indices], labels[indices]

    def _indices(self, n_images: int, split: SplitName) -> list[int]:
        """Return which of the official images are in a split."""
        if split == "test":
            return list(range(n_images))
        return split_indices(n_images, {"val": self.n_val})[split].tolist()

    @staticmethod
    def _label(folder: Path, name: str) -> int:
        label, slash, _ = name.partition("/")
        if not slash or label not in CLASSES:
            raise ValueError(
                f"{folder / name} must be in a folder of one of CIFAR-10's classes, which are "
                f"{', '.join(CLASSES)}"
            )
        return CLASSES.index(label)

    @property
    def _pictures(self) -> Path:
        return Path(self.root).resolve() / "cifar10"

    @property
    def _batches(self) -> Path:
        return Path(self.root).resolve() / TorchvisionCIFAR10.base_folder
