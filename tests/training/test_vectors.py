import math

import pytest
import torch

from glow.analysis.divergence import held_out_nats, reverse_kl
from glow.bijections import LULinear
from glow.models import LayeredDensity
from glow.targets import EightGaussians, Potential1, TwoMoons
from glow.training.objective import MaximumLikelihood, Objective, ReverseKL
from glow.training.vectors import fit


def linear() -> LayeredDensity:
    torch.manual_seed(0)
    return LayeredDensity(2, LULinear, 1)


def train(density: LayeredDensity, objective: Objective, steps: int = 150) -> list[float]:
    optimizer = torch.optim.Adam(density.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
    generator = torch.Generator().manual_seed(0)
    return fit(density, objective, optimizer, schedule, range(steps), 256, generator)


def test_maximum_likelihood_finds_the_normal_distribution_of_the_moments() -> None:
    target, density = EightGaussians(), linear()
    train(density, MaximumLikelihood(target))
    variance = target.sample(100_000).var(0).mean().item()
    expected = 1 + math.log(2 * math.pi * variance)
    found = held_out_nats(density, target, 20_000, torch.Generator().manual_seed(1))
    assert found.mean == pytest.approx(expected, abs=4 * found.standard_error + 0.01)
    assert found.mean > target.entropy


def test_the_reverse_divergence_of_a_density_from_another_vanishes() -> None:
    teacher, student = linear(), LayeredDensity(2, LULinear, 1, reverse=True)
    train(teacher, MaximumLikelihood(TwoMoons()))
    teacher.requires_grad_(False)
    losses = train(student, ReverseKL(teacher))
    assert losses[0] > 0.05
    assert abs(losses[-1]) < 0.01
    x = TwoMoons().sample(100)
    torch.testing.assert_close(student.log_prob(x), teacher.log_prob(x), atol=0.1, rtol=0)


def test_variational_inference_needs_a_target_only_up_to_a_factor() -> None:
    density, target = linear(), Potential1()
    losses = train(density, ReverseKL(target))
    divergence = reverse_kl(density, target, 5000, torch.Generator().manual_seed(1))
    assert 0 < divergence.mean < losses[0] + target.log_normalizer
    expected = divergence.mean - target.log_normalizer
    assert sum(losses[-30:]) / 30 == pytest.approx(expected, abs=0.1)


def test_a_potential_has_no_samples_to_learn_from() -> None:
    with pytest.raises(ValueError, match="Potential1 has no samples to learn from: set objective="):
        MaximumLikelihood(Potential1())


def test_a_run_is_repeatable() -> None:
    first, second = linear(), linear()
    assert train(first, MaximumLikelihood(TwoMoons()), 5) == train(
        second, MaximumLikelihood(TwoMoons()), 5
    )
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_loss_that_is_not_finite_raises() -> None:
    density = linear()
    before = [p.clone() for p in density.parameters()]
    with pytest.raises(FloatingPointError, match="the loss is nan at step 0: try a lower"):
        train(density, lambda *_: next(density.parameters()).sum() * math.nan)
    assert all(torch.equal(a, b) for a, b in zip(before, density.parameters(), strict=True))
