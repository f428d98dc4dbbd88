import torch

from glow.data import mean_and_std, pixel_counts
from glow.data.pixel_statistics import CHUNK


def test_mean_and_deviation_are_those_of_all_pixels_of_a_channel() -> None:
    images = torch.randint(0, 200, (CHUNK + 7, 3, 2, 3), dtype=torch.uint8)
    images[:, 1] //= 3
    counts = pixel_counts(images)
    assert counts.shape == (3, 256)
    mean, std = mean_and_std(counts)
    pixels = images.double().transpose(0, 1).flatten(1) / 255
    torch.testing.assert_close(mean, pixels.mean(1))
    torch.testing.assert_close(std, pixels.std(1, correction=0))


def test_counts_of_two_sets_may_be_added() -> None:
    images = torch.randint(0, 256, (20, 1, 2, 2), dtype=torch.uint8)
    both = pixel_counts(images[:5]) + pixel_counts(images[5:])
    assert torch.equal(both, pixel_counts(images))


def test_images_of_one_value_have_a_deviation_of_zero() -> None:
    mean, std = mean_and_std(pixel_counts(torch.full((4, 1, 2, 2), 51, dtype=torch.uint8)))
    torch.testing.assert_close(mean, torch.tensor([0.2], dtype=torch.float64))
    assert std.item() < 1e-6
