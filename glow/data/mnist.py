"""MNIST at its native size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import MNIST as TorchvisionMNIST  # noqa: N811

from glow.data.image_data_module import Batch, ImageDataModule, SplitName

SPLIT_SEED = 0  # never changes, so that the validation images stay the validation images


@dataclass(kw_only=True, eq=False)
class MNIST(ImageDataModule):
    """MNIST, 1x28x28, neither padded nor tiled: 60,000 images less ``n_val``, and 10,000 for test.

    The files are looked for under ``root``, where torchvision keeps them (``MNIST/raw``), and
    downloaded where they are absent and ``download`` is true. Raises ``FileNotFoundError`` where
    they cannot be had.
    """

    root: str = "data"
    download: bool = True
    n_val: int = 5000
    image_shape: tuple[int, int, int] = (1, 28, 28)
    n_classes: int = 10

    def prepare_data(self) -> None:
        """Download what is absent."""
        try:
            for train in (True, False):
                TorchvisionMNIST(self.root, train=train, download=self.download)
        except (RuntimeError, OSError) as error:
            folder = Path(self.root).resolve() / "MNIST" / "raw"
            raise FileNotFoundError(
                f"MNIST is not in {folder} ({error}). Either put the four files there, "
                "{train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or as .gz; or set data.root "
                "to a folder that has MNIST/raw; or allow the download with data.download=true on "
                "a machine with a network; or train on what needs no download: experiment=digits"
            ) from error

    def read(self, split: SplitName) -> Batch:
        """Return the official test images, or one of two fixed, disjoint parts of the others."""
        mnist = TorchvisionMNIST(self.root, train=split != "test")
        images, labels = mnist.data[:, None], mnist.targets.long()
        if split == "test":
            return images, labels
        order = torch.from_numpy(np.random.default_rng(SPLIT_SEED).permutation(len(images)))
        part = order[: self.n_val] if split == "val" else order[self.n_val :]
        return images[part], labels[part]
