"""Sources of images, each one a Lightning data module."""

from glow.data.augmentation import Augmentation
from glow.data.cached_data_module import CachedDataModule
from glow.data.celeba import CelebA
from glow.data.cifar10 import CIFAR10
from glow.data.digits import Digits
from glow.data.folder import Folder
from glow.data.image_data_module import SPLITS, Batch, ImageDataModule, ImageDataset, SplitName
from glow.data.mnist import MNIST, FashionMNIST, PaddedMNIST
from glow.data.npz import NPZ
from glow.data.pixel_statistics import mean_and_std, pixel_counts
from glow.data.selection import (
    Selection,
    fit_content,
    fit_file,
    fit_images,
    random_indices,
    select,
)
from glow.data.training_order import TrainingOrder, batches_done
from glow.data.training_plan import TrainingPlan

__all__ = [
    "CIFAR10",
    "MNIST",
    "NPZ",
    "SPLITS",
    "Augmentation",
    "Batch",
    "CachedDataModule",
    "CelebA",
    "Digits",
    "FashionMNIST",
    "Folder",
    "ImageDataModule",
    "ImageDataset",
    "PaddedMNIST",
    "Selection",
    "SplitName",
    "TrainingOrder",
    "TrainingPlan",
    "batches_done",
    "fit_content",
    "fit_file",
    "fit_images",
    "mean_and_std",
    "pixel_counts",
    "random_indices",
    "select",
]
