"""Sources of images, each a Lightning data module."""

from glow.data.digits import Digits
from glow.data.image_data_module import ImageDataModule, ImageDataset, Split
from glow.data.mnist import MNIST

__all__ = ["MNIST", "Digits", "ImageDataModule", "ImageDataset", "Split"]
