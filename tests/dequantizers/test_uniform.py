import math

import pytest
import torch

from glow.dequantizers import UniformDequantizer

LARGEST_BELOW_ONE = 1 - 2.0**-24  # in float32


def every_level() -> torch.Tensor:
    return torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)


@pytest.mark.parametrize("n_bits", range(1, 9))
@pytest.mark.parametrize("noise", [0.0, 0.5, LARGEST_BELOW_ONE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_level_survives(n_bits: int, noise: float, dtype: torch.dtype) -> None:
    dequantizer, images = UniformDequantizer(n_bits), every_level()
    x, _ = dequantizer(images, torch.full(images.shape, noise, dtype=dtype))
    quantized = images // 2 ** (8 - n_bits) * 2 ** (8 - n_bits)
    assert torch.equal(dequantizer.inverse(x), quantized)
    assert torch.equal(dequantizer.quantize(images), quantized)
    assert x.min() >= -0.5
    assert x.max() < 0.5


@pytest.mark.parametrize("n_bits", range(1, 9))
def test_the_formula_is_the_reference_s(n_bits: int) -> None:
    images, noise = every_level(), torch.rand(1, 1, 16, 16)
    x, log_det = UniformDequantizer(n_bits)(images, noise)
    n_bins = 2.0**n_bits
    expected = torch.floor(images.float() / 2 ** (8 - n_bits)) / n_bins - 0.5 + noise / n_bins
    torch.testing.assert_close(x, expected)
    assert log_det.tolist() == pytest.approx([-256 * math.log(n_bins)])


def test_images_and_noise_are_not_modified() -> None:
    images, noise = every_level(), torch.rand(1, 1, 16, 16)
    images_before, noise_before = images.clone(), noise.clone()
    UniformDequantizer(5)(images, noise)
    assert torch.equal(images, images_before)
    assert torch.equal(noise, noise_before)


@pytest.mark.parametrize("n_bits", [0, 9])
def test_impossible_bits_raise(n_bits: int) -> None:
    with pytest.raises(ValueError, match=f"n_bits must be from 1 to 8, .* got {n_bits}"):
        UniformDequantizer(n_bits)


def test_other_images_and_noise_raise() -> None:
    with pytest.raises(ValueError, match=r"must be uint8, from 0 to 255, got torch.float32"):
        UniformDequantizer(8)(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"shape \(1, 1, 16, 16\), got \(1, 1, 4, 4\)"):
        UniformDequantizer(8)(every_level(), torch.rand(1, 1, 4, 4))
