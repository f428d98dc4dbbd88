"""MNIST and Fashion-MNIST, at their native size or padded."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torchvision
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from glow.data.download import download_once
from glow.data.image_data_module import Batch, ImageDataModule, SplitName
from glow.data.image_file import fit
from glow.data.names import user_path
from glow.data.split import split_indices


@dataclass(kw_only=True, eq=False)
class MNIST(ImageDataModule):
    """MNIST at 1x28x28: 60,000 images minus ``n_val`` for training, and 10,000 for testing.

    The files are those of torchvision, in ``root/MNIST/raw``. Several processes may call
    ``prepare_data`` at once; one of them downloads.

    Args:
        root: The folder that contains ``MNIST``.
        download: Whether to download the files if they are absent.
        n_val: How many of the training images are set aside for validation, always the same ones;
            0 to train on all.

    See ``ImageDataModule`` for the other arguments.
    """

    source: ClassVar[Any] = torchvision.datasets.MNIST

    root: str = "data"
    download: bool = True
    n_val: int = 5000
    image_shape: tuple[int, int, int] = (1, 28, 28)
    n_classes: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        self.root = str(user_path(self.root))

    @property
    def validates(self) -> bool:
        """Whether there are validation images."""
        return self.n_val != 0

    def origin(self, split: SplitName) -> str:
        """Return the folder of the files."""
        return str(self._folder)

    def prepare_data(self) -> None:
        """Download the files if they are absent, and try to read them.

        Raises:
            FileNotFoundError: If files are absent and cannot be downloaded.
            ValueError: If files are broken.
        """
        try:
            if self.download:
                download_once(
                    lambda: self._open(train=True, download=True),
                    Path(self.root) / f"{self.source.__name__}.lock",
                    absent=not self._is_complete(),
                )
            for train in (True, False):
                self._open(train=train, download=False)
        except (RuntimeError, OSError) as error:
            name = self.source.__name__
            raise FileNotFoundError(
                f"{name} is not in {self._folder} ({error}). Put the four files "
                "{train,t10k}-{images-idx3,labels-idx1}-ubyte there, unpacked; or set data.root to "
                f"a folder that contains {name}/raw; or set data.download=true on a machine with "
                "network access; or train on data that needs no download: experiment=digits"
            ) from error

    def read(self, split: SplitName) -> Batch:
        """Read the official test images, or one of two fixed, disjoint parts of the others.

        Raises:
            ValueError: If files are broken.
        """
        mnist = self._open(train=split != "test", download=False)
        images, labels = mnist.data[:, None], mnist.targets.long()
        if len(images) != len(labels):
            raise ValueError(
                f"{self._folder}: there must be as many labels as images, got {len(images)} images "
                f"and {len(labels)} labels"
            )
        if split == "test":
            return images, labels
        indices = split_indices(len(images), {"val": self.n_val})[split]
        return images[indices], labels[indices]

    def _open(self, *, train: bool, download: bool) -> Any:
        try:
            return self.source(self.root, train=train, download=download)
        except (ValueError, AssertionError, EOFError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not self._is_complete():
                raise
            raise ValueError(
                f"the files in {self._folder} are broken ({str(error) or 'unknown format'}): "
                "delete them and download them again"
            ) from error

    def _is_complete(self) -> bool:
        names = itertools.product(("train", "t10k"), ("images-idx3", "labels-idx1"))
        return all((self._folder / f"{part}-{kind}-ubyte").is_file() for part, kind in names)

    @property
    def _folder(self) -> Path:
        # torchvision names the folder after its class.
        return Path(self.root).resolve() / self.source.__name__ / "raw"


@dataclass(kw_only=True, eq=False)
class FashionMNIST(MNIST):
    """Fashion-MNIST: like MNIST, but with pictures of clothes, in ``root/FashionMNIST/raw``.

    See ``MNIST`` for the arguments.
    """

    source: ClassVar[Any] = torchvision.datasets.FashionMNIST

    @property
    def label_names(self) -> list[str]:
        """The kinds of clothes."""
        return list(torchvision.datasets.FashionMNIST.classes)


@dataclass(kw_only=True, eq=False)
class PaddedMNIST(MNIST):
    """MNIST as the reference prepares it: padded with black to 32x32 and repeated in 3 channels.

    Its bits/dim divides by 3,072 numbers per digit instead of the 784 that carry information, so it
    must not be compared with the bits/dim of ``MNIST``. ``get_mnist_cifar.py`` of the reference.

    See ``MNIST`` for the arguments.
    """

    image_shape: tuple[int, int, int] = (3, 32, 32)

    def read(self, split: SplitName) -> Batch:
        """Read the images of ``MNIST``, and pad and repeat them."""
        images, labels = super().read(split)
        return F.pad(images, (2, 2, 2, 2)).expand(-1, 3, -1, -1).contiguous(), labels

    def fit_picture(self, picture: Image.Image) -> tuple[NDArray[np.uint8], str]:
        """Make a picture gray and 28x28, pad it with black, and repeat it in 3 channels.

        A picture that has the size of the padded digits is only made gray.
        """
        gray, size = picture.convert("L"), self.image_shape[1]
        if picture.size == (size, size):
            channels = fit(picture, size, size)
            note = "" if (channels == channels[:1]).all() else "made gray"
            return fit(gray, size, size).repeat(3, axis=0), note
        pixels = np.pad(fit(gray, 28, 28), ((0, 0), (2, 2), (2, 2)))
        return pixels.repeat(3, axis=0), "made 28x28 and gray, then padded to 32x32"
