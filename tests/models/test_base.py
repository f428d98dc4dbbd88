import math

import pytest
import torch
from torch.distributions import Normal, TransformedDistribution, Uniform
from torch.distributions.transforms import SigmoidTransform

from glow.models import Base, StandardLogistic, StandardNormal, StandardUniform

BASES = [StandardNormal, StandardUniform, StandardLogistic]
normal, uniform = Normal(0.0, 1.0), Uniform(0.0, 1.0)
logistic = TransformedDistribution(uniform, [SigmoidTransform().inv])


@pytest.mark.parametrize(
    ("base", "peer"),
    [(StandardNormal, normal), (StandardUniform, uniform), (StandardLogistic, logistic)],
)
def test_the_log_density_is_the_library_s(
    base: type[Base], peer: torch.distributions.Distribution
) -> None:
    z = peer.sample((5, 3))
    torch.testing.assert_close(base(3).log_prob(z), peer.log_prob(z).sum(1))


@pytest.mark.parametrize("base", BASES)
def test_samples_follow_the_density(base: type[Base]) -> None:
    """Their log-density has the entropy as its mean, and the CDF makes them uniform."""
    n = 40_000
    z = base(2).double().sample(n, torch.Generator().manual_seed(0))
    assert z.shape == (n, 2)
    assert z.dtype == torch.float64
    cdf = {StandardNormal: normal.cdf, StandardUniform: lambda z: z}.get(base, torch.sigmoid)
    for column in cdf(z).T:
        gap = column.sort().values - (torch.arange(n) + 0.5) / n
        assert gap.abs().max() < 1.95 / math.sqrt(n)  # Kolmogorov and Smirnov, 0.1 %
    assert abs(torch.corrcoef(z.T)[0, 1]) < 4 / math.sqrt(n)
    entropy = {StandardNormal: 0.5 * math.log(2 * math.pi * math.e), StandardUniform: 0.0}
    log_prob = base(2).log_prob(z)
    assert -log_prob.mean().item() == pytest.approx(2 * entropy.get(base, 2.0), abs=0.03)


@pytest.mark.parametrize("base", BASES)
def test_examples_may_be_images_and_a_generator_repeats_them(base: type[Base]) -> None:
    first, second = (base((3, 4, 4)).sample(2, torch.Generator().manual_seed(7)) for _ in range(2))
    assert first.shape == (2, 3, 4, 4)
    assert torch.equal(first, second)
    assert base((3, 4, 4)).log_prob(first).shape == (2,)
    assert not base(3).state_dict()


def test_outside_of_the_unit_cube_the_uniform_density_is_0() -> None:
    z = torch.tensor([[0.0, 1.0], [0.5, 1.1], [-0.1, 0.5], [math.nan, 0.5]])
    assert StandardUniform(2).log_prob(z).tolist() == [0, -math.inf, -math.inf, -math.inf]


def test_far_out_the_logistic_density_is_finite() -> None:
    z = torch.tensor([[1e4], [-1e30]])
    torch.testing.assert_close(StandardLogistic(1).log_prob(z), torch.tensor([-1e4, -1e30]))
