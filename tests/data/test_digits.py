import pytest
import torch
from sklearn.datasets import load_digits

from glow.data import Digits
from glow.dequantizers import UniformDequantizer


def every_image() -> torch.Tensor:
    data = Digits()
    data.setup()
    return torch.cat([dataset.images for dataset in data.datasets.values()])


def test_the_splits_are_fixed_and_disjoint() -> None:
    data = Digits()
    data.setup()
    sizes = {split: len(dataset) for split, dataset in data.datasets.items()}
    assert sizes == {"train": 1297, "val": 200, "test": 300}
    again = Digits(seed=5)
    again.setup()
    for split, dataset in data.datasets.items():
        assert torch.equal(dataset.images, again.datasets[split].images)
        assert torch.equal(dataset.labels, again.datasets[split].labels)
    # Together they are exactly the 1,797 images, duplicates included.
    found = sorted(map(tuple, every_image().flatten(1).tolist()))
    bins = torch.from_numpy(load_digits().images * 31 / 16).round().to(torch.uint8) * 8
    assert found == sorted(map(tuple, bins.flatten(1).tolist()))


def test_labels_stay_with_their_images() -> None:
    data = Digits()
    data.setup("test")
    images, labels = data.datasets["test"][:]
    source = load_digits()
    by_pixels = {
        tuple((image.flatten() * 31 / 16).round().astype(int) * 8): target
        for image, target in zip(source.images, source.target, strict=True)
    }
    for image, label in zip(images, labels, strict=True):
        assert by_pixels[tuple(image.flatten().tolist())] == label


def test_every_gray_level_survives_and_white_is_bright() -> None:
    images = every_image()
    levels = images.unique()
    assert len(levels) == 17
    assert levels[0] == 0
    assert levels[-1] == 248  # the brightest value of 5 bits
    dequantizer = UniformDequantizer(5)
    x, _ = dequantizer(images, torch.rand(images.shape))
    assert torch.equal(dequantizer.inverse(x), images)


def test_fewer_bits_than_the_gray_levels_need_raise() -> None:
    with pytest.raises(ValueError, match=r"data\.n_bits must be from 5 to 8, .* got 4"):
        Digits(n_bits=4)
