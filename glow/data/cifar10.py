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

from glow.data.image_data_module import Batch, SplitName
from glow.data.image_file import fit, open_picture, read_file
from glow.data.picture_data_module import Picture, PictureDataModule
from glow.data.split import cut

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
SIZE = 32


@dataclass(kw_only=True, eq=False)
class CIFAR10(PictureDataModule):
    """CIFAR-10, 3x32x32: 50,000 images less ``n_val``, and 10,000 for test.

    Under ``root`` lies either ``cifar-10-batches-py``, as torchvision keeps it, or a folder of
    pictures, ``cifar10/{train,test}/<class>/``. Where neither does, torchvision's is downloaded if
    ``download`` is true. The validation images are drawn from the training images once and for
    all; from which of them depends on their order, which is that of the files.

    Raises ``FileNotFoundError`` where the images cannot be had, and ``ValueError`` where another
    shape is asked for.
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
                f"CIFAR-10 is (3, {SIZE}, {SIZE}), but data.image_shape is {self.image_shape}; "
                "data=folder fits pictures to any shape"
            )

    @property
    def label_names(self) -> list[str]:
        """The ten classes."""
        return list(CLASSES)

    def prepare_data(self) -> None:
        """Download what is absent, and decode what is not decoded yet."""
        if not self._pictures.is_dir() and not self._batches.is_dir():
            try:
                TorchvisionCIFAR10(self.root, download=self.download)
            except (RuntimeError, OSError) as error:
                raise FileNotFoundError(
                    f"CIFAR-10 is neither in {self._batches} nor in {self._pictures} ({error}). "
                    "Either put the official python version there, or pictures in "
                    "cifar10/train/<class> and cifar10/test/<class>; or set data.root to a folder "
                    "that has one of the two; or allow the download with data.download=true on a "
                    "machine with a network; or train on what needs no download: experiment=digits"
                ) from error
        super().prepare_data()

    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return the files of a split."""
        if self._pictures.is_dir():
            return super().identity(split)
        files = self.files_below(self._batches)
        return {"files": files, "n_val": self.n_val}

    def decode(self, split: SplitName) -> Iterator[Batch]:
        """Yield the images of a split."""
        return super().decode(split) if self._pictures.is_dir() else self._decode_batches(split)

    def pictures(self, split: SplitName) -> list[Picture]:
        """Return the pictures of a split, where it is a folder."""
        folder = self._pictures / ("test" if split == "test" else "train")
        if not folder.is_dir():
            raise FileNotFoundError(f"{self._pictures} lacks the folder {folder.name}")
        found = [
            Picture(f"{folder.name}/{name}", stamp, self._label(folder, name))
            for name, stamp in self.files_below(folder)
        ]
        return [found[i] for i in self._part(len(found), split)]

    def decode_picture(self, picture: Picture) -> NDArray[np.uint8]:
        """Return a picture as uint8 (3,32,32)."""
        image = open_picture(read_file(self._pictures / picture.name), channels=3)
        if image.size != (SIZE, SIZE):
            raise ValueError(f"it is {image.width}x{image.height}, not {SIZE}x{SIZE}")
        return fit(image, SIZE, SIZE)

    def _decode_batches(self, split: SplitName) -> Iterator[Batch]:
        try:
            cifar10 = TorchvisionCIFAR10(self.root, train=split != "test")
        except RuntimeError as error:  # a checksum that is not met
            raise ValueError(
                f"the files in {self._batches} are broken or incomplete: delete that folder, and "
                "get it anew"
            ) from error
        images = rearrange(torch.from_numpy(cifar10.data), "n h w c -> n c h w")
        labels = torch.tensor(cifar10.targets)
        part = self._part(len(images), split)
        yield images[part], labels[part]

    def _part(self, n_images: int, split: SplitName) -> list[int]:
        if split == "test":
            return list(range(n_images))
        return cut(n_images, {"val": self.n_val})[split].tolist()

    @staticmethod
    def _label(folder: Path, name: str) -> int:
        label, slash, _ = name.partition("/")
        if not slash or label not in CLASSES:
            raise ValueError(
                f"{folder / name} lies in none of the folders of CIFAR-10's classes, which are "
                f"{', '.join(CLASSES)}"
            )
        return CLASSES.index(label)

    @property
    def _pictures(self) -> Path:
        return Path(self.root).resolve() / "cifar10"

    @property
    def _batches(self) -> Path:
        return Path(self.root).resolve() / TorchvisionCIFAR10.base_folder
