import torch

from glow.data import Digits
from glow.noise import dropout_per_step, noise_per_image, noise_per_step


def test_the_noise_of_a_step_depends_on_its_key() -> None:
    images = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    noise = noise_per_step(images, 1, 2, 3)
    assert torch.equal(noise, noise_per_step(images, 1, 2, 3))
    assert not torch.equal(noise, noise_per_step(images, 1, 2, 4))
    assert noise.min() >= 0
    assert noise.max() < 1


def test_an_image_determines_its_noise_in_evaluation() -> None:
    images = Digits().read("val")[0][:5]
    noise = noise_per_image(images)
    assert torch.equal(noise[2:4], noise_per_image(images[2:4]))
    assert ((noise - noise_per_image(images, 1)).abs() > 1e-3).float().mean() > 0.99
    assert len(noise.unique()) > 0.99 * noise.numel()
    assert 0 <= noise.min() < noise.max() < 1


def test_dropout_depends_on_a_key_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    drawn = []
    for key in ((1, 2), (1, 2), (1, 3)):
        with dropout_per_step(torch.device("cpu"), *key):
            drawn.append(torch.rand(4))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.initial_seed() == 5  # which other keys contain
    after = torch.rand(4)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(4))
