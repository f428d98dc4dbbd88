import math
from collections.abc import Callable
from functools import partial

import pytest
import torch

from glow.bijections import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    ContinuousFlow,
    ElementwiseAffine,
    Inverse,
    Logit,
    LULinear,
    MaskedAutoregressive,
    Planar,
    Radial,
    RationalQuadraticSpline,
    ReversePermutation,
    Sigmoid,
    TransformCoupling,
)
from glow.models import Base, Density, StandardLogistic, StandardNormal, StandardUniform
from glow.nets import MADE, MLP
from tests.small_models import perturb

mlp, made = partial(MLP, width=8), partial(MADE, width=8)
smooth = partial(mlp, activation=torch.tanh)
spline = RationalQuadraticSpline()


def twice(make: Callable[[], Bijection]) -> Bijection:
    return Chain(make(), LULinear(2), make())


FLOWS: dict[str, Callable[[], Bijection]] = {
    "linear": lambda: Chain(LULinear(2), ElementwiseAffine(2)),
    "planar": lambda: twice(lambda: Planar(2)),
    "inverse planar": lambda: twice(lambda: Inverse(Planar(2))),
    "radial": lambda: twice(lambda: Radial(2)),
    "coupling": lambda: twice(lambda: AffineCoupling(2, mlp)),
    "spline coupling": lambda: twice(lambda: TransformCoupling(2, mlp, spline)),
    "autoregressive": lambda: twice(lambda: MaskedAutoregressive(2, made)),
    "inverse autoregressive": lambda: twice(lambda: Inverse(MaskedAutoregressive(2, made))),
    "spline, autoregressive": lambda: twice(lambda: MaskedAutoregressive(2, made, spline)),
    "continuous": lambda: ContinuousFlow(2, smooth, solver="rk4", n_steps=4),
}
BASES = [StandardNormal, StandardLogistic]


def density(name: str, base: type[Base] = StandardNormal) -> Density:
    torch.manual_seed(0)
    return perturb(Density(base(2), FLOWS[name]()), 0.2).double()


def grid(bound: float, n: int) -> tuple[torch.Tensor, float]:
    """Return the centers of n x n cells, and the area of a cell."""
    axis = (torch.arange(n, dtype=torch.float64) + 0.5) / n * 2 * bound - bound
    return torch.cartesian_prod(axis, axis), (2 * bound / n) ** 2


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_it_integrates_to_1(name: str) -> None:
    for base, bound in ((StandardNormal, 12.0), (StandardLogistic, 30.0)):
        points, area = grid(bound, 400)
        with torch.no_grad():
            total = density(name, base).log_prob(points).exp().sum() * area
        assert total.item() == pytest.approx(1, abs=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOWS)
def test_samples_follow_the_density(name: str) -> None:
    """Their moments and their entropy are the integrals."""
    n = 20_000
    model = density(name)
    samples = model.sample(n, generator=torch.Generator().manual_seed(1))
    points, area = grid(12.0, 300)
    with torch.no_grad():
        weights = model.log_prob(points).exp() * area
        for function in (
            lambda x: x[:, 0],
            lambda x: x[:, 1],
            lambda x: x.prod(1),
            lambda x: x.square().sum(1).sqrt(),
            lambda x: (3 * x.sum(1)).sin(),
            model.log_prob,
        ):
            values, expected = function(samples), (weights * function(points)).sum()
            tolerance = (4 / math.sqrt(n) + 5e-3) * values.std()
            assert abs(values.mean() - expected) < tolerance


@pytest.mark.parametrize("name", FLOWS)
def test_a_reparametrized_sample_comes_with_its_log_density(name: str) -> None:
    model = density(name)
    x, log_prob = model.rsample_and_log_prob(5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(x, model.sample(5, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(model.log_prob(x), log_prob, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FLOWS)
def test_gradients_of_a_sample_are_those_of_its_definition(name: str) -> None:
    """Compare with differences in one parameter, with the same noise."""
    model = density(name)
    parameter = next(model.parameters())

    def loss() -> torch.Tensor:
        x, log_prob = model.rsample_and_log_prob(4, generator=torch.Generator().manual_seed(1))
        return (log_prob + x.pow(3).sum(1)).sum()

    (gradient,) = torch.autograd.grad(loss(), parameter)
    entry, step = (0,) * parameter.ndim, 1e-5
    with torch.no_grad():
        parameter[entry] += step
        above = loss()
        parameter[entry] -= 2 * step
        below = loss()
    torch.testing.assert_close(gradient[entry], (above - below) / (2 * step), rtol=1e-4, atol=1e-6)


def test_with_a_uniform_base_the_cdf_is_the_flow() -> None:
    model = Density(StandardUniform(2), Chain(ElementwiseAffine(2), Sigmoid())).double()
    x = torch.randn(5, 2, dtype=torch.float64)
    expected = Density(StandardLogistic(2), ElementwiseAffine(2)).double().log_prob(x)
    torch.testing.assert_close(model.log_prob(x), expected)
    assert model.sample(4).shape == (4, 2)


def test_a_density_on_the_unit_square_integrates_to_1() -> None:
    flow = Chain(Logit(), LULinear(2), Planar(2))
    model = perturb(Density(StandardNormal(2), flow)).double()
    points, area = grid(0.5, 1000)
    with torch.no_grad():
        total = model.log_prob(points + 0.5).exp().sum() * area
    assert total.item() == pytest.approx(1, abs=5e-3)


def test_labels_choose_the_density() -> None:
    flow = MaskedAutoregressive(2, partial(made, n_classes=2))
    model = perturb(Density(StandardNormal(2), flow), 0.5)
    x, labels = torch.zeros(2, 2), torch.tensor([0, 1])
    first, second = model.log_prob(x, labels)
    assert first != second
    found, log_prob = model.rsample_and_log_prob(2, labels)
    torch.testing.assert_close(model.log_prob(found, labels), log_prob)
    assert not model.sample(2, labels).requires_grad


def test_autocast_does_not_lower_the_precision() -> None:
    model = perturb(Density(StandardNormal(2), AffineCoupling(2, mlp)))
    x = torch.randn(3, 2)
    expected = model.log_prob(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model.log_prob(x), expected)


@pytest.mark.parametrize(
    "flow",
    [
        lambda: Chain(ActNorm(2), ReversePermutation(2), MaskedAutoregressive(2, made, spline)),
        lambda: Chain(*(Planar(2) for _ in range(8))),
    ],
)
def test_maximum_likelihood_learns_a_density(flow: Callable[[], Bijection]) -> None:
    """Two normal modes at distance 4: the entropy is known to a hair."""
    model = Density(StandardNormal(2), flow())
    n = 1000
    data = 0.5 * torch.randn(n, 2) + 2 * (torch.arange(n) % 2 * 2 - 1)[:, None] * torch.eye(2)[0]
    entropy = math.log(2) + 2 * 0.5 * math.log(2 * math.pi * math.e * 0.25)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    start = -model.log_prob(data).mean().item()
    for _ in range(200):
        loss = -model.log_prob(data).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert start > entropy + 1
    assert loss.item() < entropy + 0.15


@pytest.mark.parametrize(
    "flow",
    [
        lambda: Inverse(Chain(*(Planar(2) for _ in range(4)))),
        lambda: Chain(LULinear(2), Inverse(MaskedAutoregressive(2, made))),
    ],
)
def test_variational_training_approaches_the_target(flow: Callable[[], Bijection]) -> None:
    """The target is a normal distribution, so the divergence can reach 0."""
    model = Density(StandardNormal(2), flow())
    target = torch.distributions.MultivariateNormal(
        torch.tensor([1.0, -0.5]), torch.tensor([[1.0, 0.6], [0.6, 0.8]])
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    losses = []
    for _ in range(200):
        x, log_prob = model.rsample_and_log_prob(200)
        loss = (log_prob - target.log_prob(x)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.5
    assert abs(sum(losses[-20:]) / 20) < 0.1
