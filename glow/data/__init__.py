"""Sources of images, each a Lightning data module."""

from glow.data.digits import Digits
from glow.data.folder import Folder
from glow.data.image_data_module import Batch, ImageDataModule, ImageDataset, SplitName
from glow.data.mnist import MNIST
from glow.data.training_order import TrainingOrder, batches_done

__all__ = [
    "MNIST",
    "Batch",
    "Digits",
    "Folder",
    "ImageDataModule",
    "ImageDataset",
    "SplitName",
    "TrainingOrder",
    "batches_done",
]
