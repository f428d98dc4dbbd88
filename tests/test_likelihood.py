import math

import pytest
import torch

from glow.likelihood import bits_per_dim, standard_normal_log_prob


def test_the_density_is_the_standard_normal_s() -> None:
    latents = [torch.randn(3, 2, 4, 4), torch.randn(3, 8, 2, 2)]
    normal = torch.distributions.Normal(0.0, 1.0)
    expected = sum(normal.log_prob(eps).sum(dim=(1, 2, 3)) for eps in latents)
    torch.testing.assert_close(standard_normal_log_prob(latents), expected)


@pytest.mark.parametrize("n_bits", [1, 5, 8])
def test_an_image_that_might_be_any_costs_its_bits(n_bits: int) -> None:
    shape = (3, 4, 5)
    log_prob = torch.tensor([-math.prod(shape) * math.log(2**n_bits)])
    assert bits_per_dim(log_prob, shape).item() == pytest.approx(n_bits)
