import torch

from glow import Glow
from glow.analysis import batches
from glow.analysis.parts import likelihood_parts
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.noise import noise_per_image


def test_the_parts_add_up_to_bits_per_dim(model: Glow, images: torch.Tensor) -> None:
    parts = likelihood_parts(model, images)
    torch.testing.assert_close(parts.total, batches.bits_per_dim(model, images))
    torch.testing.assert_close(parts.dequantization, torch.full((8,), 8.0).double())
    assert parts.noise.shape == parts.volume.shape == (2, 8)


def test_the_noise_of_a_level_is_that_of_its_latents(model: Glow, images: torch.Tensor) -> None:
    latents = model.encode(images, noise=noise_per_image(images))
    for eps, noise in zip(latents, likelihood_parts(model, images).noise, strict=True):
        expected = bits_per_dim(standard_normal_log_prob([eps]), model.image_shape)
        torch.testing.assert_close(noise, expected.double())


def test_the_parts_are_those_of_a_class(by_class: Glow, images: torch.Tensor) -> None:
    labels = torch.arange(8) % 4
    total = likelihood_parts(by_class, images, labels).total
    torch.testing.assert_close(total, batches.bits_per_dim(by_class, images, labels))
    other = likelihood_parts(by_class, images, (labels + 1) % 4).total
    assert (total - other).abs().min() > 1e-6
