"""MNIST and Fashion-MNIST at their native size."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torchvision
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from glow.data.image_data_module import Batch, ImageDataModule, SplitName
from glow.data.image_file import fit
from glow.data.split import cut


@dataclass(kw_only=True, eq=False)
class MNIST(ImageDataModule):
    """MNIST, 1x28x28, neither padded nor tiled: 60,000 images less ``n_val``, and 10,000 for test.

    The files are looked for under ``root``, where torchvision keeps them (``MNIST/raw``), and
    downloaded where they are absent and ``download`` is true. Raises ``FileNotFoundError`` where
    they cannot be had, and ``ValueError`` where they are broken.
    """

    source: ClassVar[Any] = torchvision.datasets.MNIST

    root: str = "data"
    download: bool = True
    n_val: int = 5000
    image_shape: tuple[int, int, int] = (1, 28, 28)
    n_classes: int = 10

    def prepare_data(self) -> None:
        """Download what is absent."""
        try:
            for train in (True, False):
                self._open(train=train, download=self.download)
        except (RuntimeError, OSError) as error:
            name = self.source.__name__
            raise FileNotFoundError(
                f"{name} is not in {self._folder} ({error}). Either put the four files there, "
                "{train,t10k}-{images-idx3,labels-idx1}-ubyte, unpacked; or set data.root "
                f"to a folder that has {name}/raw; or allow the download with "
                "data.download=true on a machine with a network; or train on what needs no "
                "download: experiment=digits"
            ) from error

    def read(self, split: SplitName) -> Batch:
        """Return the official test images, or one of two fixed, disjoint parts of the others."""
        mnist = self._open(train=split != "test", download=False)
        images, labels = mnist.data[:, None], mnist.targets.long()
        if len(images) != len(labels):
            raise ValueError(f"{self._folder}: {len(images)} images, but {len(labels)} labels")
        if split == "test":
            return images, labels
        part = cut(len(images), {"val": self.n_val})[split]
        return images[part], labels[part]

    def _open(self, *, train: bool, download: bool) -> Any:
        try:
            return self.source(self.root, train=train, download=download)
        except (ValueError, AssertionError, EOFError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not self._all_there():
                raise
            raise ValueError(
                f"the files in {self._folder} are broken ({str(error) or 'of another format'}): "
                "delete them, and get them anew"
            ) from error

    def _all_there(self) -> bool:
        parts = itertools.product(("train", "t10k"), ("images-idx3", "labels-idx1"))
        return all((self._folder / f"{s}-{what}-ubyte").is_file() for s, what in parts)

    @property
    def _folder(self) -> Path:
        return Path(self.root).resolve() / self.source.__name__ / "raw"


@dataclass(kw_only=True, eq=False)
class FashionMNIST(MNIST):
    """Fashion-MNIST: as MNIST, but pictures of clothes; torchvision keeps it in its own folder."""

    source: ClassVar[Any] = torchvision.datasets.FashionMNIST

    @property
    def label_names(self) -> list[str]:
        """The kinds of clothes."""
        return list(torchvision.datasets.FashionMNIST.classes)


@dataclass(kw_only=True, eq=False)
class PaddedMNIST(MNIST):
    """MNIST, padded with black to 32x32 and repeated in 3 channels, as the reference feeds it.

    Its bits/dim is of 3072 numbers a digit, three quarters of which say nothing new: it must not be
    compared with that of the 784 pixels. ``get_mnist_cifar.py`` of the reference.
    """

    image_shape: tuple[int, int, int] = (3, 32, 32)

    def read(self, split: SplitName) -> Batch:
        """Return the images of ``MNIST``, padded and repeated."""
        images, labels = super().read(split)
        return F.pad(images, (2, 2, 2, 2)).expand(-1, 3, -1, -1).contiguous(), labels

    def fit_picture(self, picture: Image.Image) -> tuple[NDArray[np.uint8], str]:
        """Return a picture in grey, padded from 28x28 with black, in 3 equal channels."""
        grey, size = picture.convert("L"), self.image_shape[1]
        if picture.size == (size, size):
            colours = fit(picture, size, size)
            how = "" if (colours == colours[:1]).all() else "made grey"
            return fit(grey, size, size).repeat(3, axis=0), how
        pixels = np.pad(fit(grey, 28, 28), ((0, 0), (2, 2), (2, 2)))
        return pixels.repeat(3, axis=0), "made 28x28 and grey, then padded to 32x32"
