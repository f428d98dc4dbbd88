"""The known means and deviations of real data sets, if they are in a folder beside the project."""

import gzip
import zipfile
from pathlib import Path

import pytest
import torch

from glow.data import MNIST, SPLITS, Folder, ImageDataModule, mean_and_std, pixel_counts

SHARED = Path(__file__).parents[3] / "shared" / "data"


def statistics(data: ImageDataModule, *splits: str) -> tuple[int, torch.Tensor, torch.Tensor]:
    """Return how many images several splits have together, and their mean and deviation."""
    data.prepare_data()
    data.setup()
    images = [data.dataset(split).images for split in splits]
    mean, std = mean_and_std(torch.stack([pixel_counts(of_split) for of_split in images]).sum(0))
    return sum(map(len, images)), mean, std


@pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="there is no MNIST")
def test_mnist_has_its_known_mean_and_deviation(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in (SHARED / "mnist").glob("*.gz"):
        (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    data = MNIST(root=str(tmp_path), download=False)
    n_images, mean, std = statistics(data, "train", "val")
    assert n_images == 60000
    assert mean.item() == pytest.approx(0.1307, abs=5e-5)
    assert std.item() == pytest.approx(0.3081, abs=5e-5)
    assert statistics(data, "test")[0] == 10000


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "cifar10").is_dir(), reason="there is no CIFAR-10")
def test_cifar10_test_images_have_their_known_mean_and_deviation(tmp_path: Path) -> None:
    zipfile.ZipFile(SHARED / "cifar10" / "test.zip").extractall(tmp_path)
    root, cache = str(tmp_path / "test"), str(tmp_path / "cache")
    data = Folder(root=root, cache_dir=cache, image_shape=(3, 32, 32), n_classes=10)
    n_images, mean, std = statistics(data, *SPLITS)
    assert n_images == 10000
    assert mean.tolist() == pytest.approx([0.4942, 0.4851, 0.4504], abs=5e-5)
    assert std.tolist() == pytest.approx([0.2467, 0.2429, 0.2616], abs=5e-5)
    labels = torch.cat([data.dataset(split).labels for split in SPLITS])
    assert labels.bincount().tolist() == [1000] * 10
