"""The questions of the lessons on normalizing flows, answered by the layers of this project."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from glow.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Chain,
    ElementwiseAffine,
    LULinear,
    MaskedAutoregressive,
    OrthogonalLinear,
    PlainLinear,
    Planar,
    ReversePermutation,
    ShufflePermutation,
    Sigmoid,
)
from glow.bijections.bijection import sum_per_example
from glow.models import Density, StandardLogistic, StandardNormal, StandardUniform
from glow.nets import MADE, MLP
from glow.targets import Grid, TwoMoons
from tests.counting import Kernels
from tests.small_models import perturb

mlp = partial(MLP, width=8)
double = torch.float64


def affine(scale: float, shift: float, features: int = 1) -> ElementwiseAffine:
    """Return ``y = scale * x + shift``, for a scale above 0."""
    flow = ElementwiseAffine(features).double()
    with torch.no_grad():
        flow.log_scale.fill_(math.log(scale))
        assert flow.shift is not None
        flow.shift.fill_(shift)
    return flow


def linear(matrix: list[list[float]]) -> PlainLinear:
    flow = PlainLinear(len(matrix)).double()
    with torch.no_grad():
        flow.weight.copy_(torch.tensor(matrix))
    return flow


def jacobian(flow: Bijection, x: Tensor) -> Tensor:
    """Return the Jacobian (D,D) at x (D,)."""
    found: Tensor = torch.autograd.functional.jacobian(lambda one: flow(one[None])[0][0], x)
    return found


def log_abs_det(flow: Bijection, x: Tensor) -> Tensor:
    return torch.linalg.slogdet(jacobian(flow, x)).logabsdet


def test_is_1_minus_z_a_valid_flow_and_with_which_log_det() -> None:
    """It is its own inverse, with log |-1| = 0."""
    flow = Chain(linear([[-1.0]]), affine(1, 1))
    z = torch.linspace(-2, 2, 9, dtype=double)[:, None]
    y, log_det = flow(z)
    torch.testing.assert_close(y, 1 - z)
    torch.testing.assert_close(flow(y)[0], z)
    assert log_det.tolist() == [0.0] * 9


def test_is_2_minus_3z_a_valid_flow_and_with_which_log_det() -> None:
    """log |-3| = log 3, and a density becomes a third as high."""
    flow = Chain(linear([[-3.0]]), affine(1, 2))
    z = torch.linspace(-2, 2, 9, dtype=double)[:, None]
    y, log_det = flow(z)
    torch.testing.assert_close(y, 2 - 3 * z)
    torch.testing.assert_close(flow.inverse(y), z)
    torch.testing.assert_close(log_det, torch.full((9,), math.log(3), dtype=double))


def test_is_a_map_in_pieces_that_overlap_injective() -> None:
    """2z below 1/2 and 2 - 2z above reach every y twice.

    The rule of one inverse then misses half of the density: both branches must be added.
    """

    def folded(z: Tensor) -> Tensor:
        return torch.where(z < 0.5, affine(2, 0)(z)[0], Chain(linear([[-2.0]]), affine(1, 2))(z)[0])

    y = torch.tensor([[0.3]], dtype=double)
    below, above = affine(2, 0).inverse(y), Chain(linear([[-2.0]]), affine(1, 2)).inverse(y)
    assert below != above
    torch.testing.assert_close(folded(below), folded(above))
    z = torch.rand(20_000, 1, dtype=double)
    histogram = torch.histc(folded(z), bins=4, min=0, max=1) / len(z) * 4
    one_branch = math.exp(StandardUniform(1).log_prob(below).item() - math.log(2))
    assert one_branch == pytest.approx(0.5)
    torch.testing.assert_close(histogram, torch.ones(4, dtype=double), atol=0.06, rtol=0)


def test_what_does_y_2x_plus_1_do_to_a_uniform_density() -> None:
    """It spreads it over twice the length, at half the height."""
    to_base = affine(0.5, -0.5)  # the inverse of y = 2x + 1
    density = Density(StandardUniform(1), to_base).double()
    y = torch.tensor([[0.99], [1.0], [2.0], [3.0], [3.01]], dtype=double)
    expected = torch.tensor([0, 0.5, 0.5, 0.5, 0], dtype=double)
    torch.testing.assert_close(density.log_prob(y).exp(), expected)
    samples = density.sample(1000)
    assert 1 <= samples.min() < 1.1
    assert 2.9 < samples.max() <= 3


@pytest.mark.parametrize("matrix", [[[2.0, 1.0], [0.5, 3.0]], [[0.0, 1.0], [2.0, 0.0]]])
def test_by_what_does_a_linear_map_divide_a_density(matrix: list[list[float]]) -> None:
    """By |ad - bc|, everywhere."""
    (a, b), (c, d) = matrix
    flow = linear(matrix)
    z = torch.randn(5, 2, dtype=double)
    x, log_det = flow(z)
    torch.testing.assert_close(log_det.exp(), torch.full((5,), abs(a * d - b * c), dtype=double))
    normal = torch.distributions.MultivariateNormal(
        torch.zeros(2, dtype=double), flow.weight.detach() @ flow.weight.detach().T
    )
    ratio = normal.log_prob(x) - StandardNormal(2).log_prob(z)
    torch.testing.assert_close(ratio.exp(), (-log_det).exp())


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_on_which_domain_is_exp_of_minus_z_to_the_n_invertible(n: int) -> None:
    """For odd n on the whole line, for even n on either half of it."""

    def f(z: Tensor) -> Tensor:
        return (-(z**n)).exp()

    line = torch.linspace(-1.5, 1.5, 301, dtype=double)
    half = line[line >= 0]
    assert bool((f(line).diff() < 0).all()) == (n % 2 == 1)
    assert (f(half).diff() < 0).all()
    torch.testing.assert_close((-f(half).log()).pow(1 / n), half)
    if n % 2 == 0:
        torch.testing.assert_close(f(line), f(-line))


def test_what_is_the_determinant_of_a_composition() -> None:
    """It is the product of those of the parts, each at its own input."""
    x = torch.randn(4, dtype=double)
    parts = [LULinear(4), Planar(4), AffineCoupling(4, mlp)]
    chain = perturb(Chain(*parts).double(), 0.5)
    product = torch.ones((), dtype=double)
    at = x
    for part in chain:
        assert isinstance(part, Bijection)
        product = product * torch.linalg.det(jacobian(part, at))
        at = part(at[None])[0][0]
    torch.testing.assert_close(torch.linalg.det(jacobian(chain, x)), product)
    torch.testing.assert_close(chain(x[None])[1][0], product.abs().log())


class Entries(Kernels):
    """Count the entries that every kernel writes: operations, where none is a matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self,
        function: object,
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        before = len(self.names)
        result = super().__torch_dispatch__(function, types, args, kwargs)
        if len(self.names) > before and isinstance(result, Tensor):
            self.total += result.numel()
        return result


def growth(costs: list[int]) -> float:
    """Return the exponent of a cost at D = 32, 64, 128, by its last doubling."""
    return math.log2((costs[2] - costs[1]) / (costs[1] - costs[0]))


def test_what_does_a_diagonal_jacobian_cost() -> None:
    """Its determinant takes O(D) operations."""
    costs = []
    for features in (32, 64, 128):
        log_scales = ElementwiseAffine(features).log_scale.detach()
        with Entries() as entries:
            log_scales.exp().log().sum()
        costs.append(entries.total)
    assert growth(costs) == pytest.approx(1)


def test_what_does_a_triangular_jacobian_cost() -> None:
    """Its determinant takes O(D) operations, too: what is off the diagonal does not matter."""
    costs = []
    for features in (32, 64, 128):
        torch.manual_seed(0)
        flow = perturb(MaskedAutoregressive(features, partial(MADE, width=8)).double())
        raw = torch.randn(1, 2 * features, dtype=double)
        with Entries() as entries:
            sum_per_example(flow.transform.forward(torch.zeros(1, features), raw)[1][None])
        costs.append(entries.total)
    assert growth(costs) == pytest.approx(1, abs=0.02)
    found = jacobian(flow, torch.randn(features, dtype=double))
    assert (found.triu(1) == 0).all()
    assert (found.tril(-1) != 0).any()
    torch.testing.assert_close(
        torch.linalg.det(found).log(), found.diagonal().log().sum(), rtol=1e-6, atol=1e-6
    )


def test_what_does_a_full_jacobian_cost() -> None:
    """Elimination takes O(D^3) operations: each of the D pivots updates a matrix."""
    costs = []
    for features in (32, 64, 128):
        matrix = LULinear(features).matrix().detach().double()
        with FlopCounterMode(display=False) as counter:
            determinant = eliminate(matrix)
        costs.append(counter.get_total_flops())
        torch.testing.assert_close(determinant, torch.linalg.slogdet(matrix).logabsdet)
    assert growth(costs) == pytest.approx(3, abs=0.1)


def eliminate(matrix: Tensor) -> Tensor:
    """Return log |det|, by Gaussian elimination with pivots."""
    rest, log_det = matrix, matrix.new_zeros(())
    while len(rest):
        pivot = rest[:, 0].abs().argmax()
        row, others = rest[pivot], torch.cat([rest[:pivot], rest[pivot + 1 :]])
        log_det = log_det + row[0].abs().log()
        rest = others[:, 1:] - (others[:, :1] / row[0]) @ row[None, 1:]
    return log_det


def test_can_a_cdf_be_a_flow() -> None:
    """It maps its variable to a uniform one, and its inverse makes samples of uniform numbers."""
    flow = Chain(affine(2, 1), Sigmoid())
    logistic = Density(StandardLogistic(1), affine(2, 1)).double()
    density = Density(StandardUniform(1), flow).double()
    x = torch.linspace(-4, 4, 9, dtype=double)[:, None]
    torch.testing.assert_close(density.log_prob(x), logistic.log_prob(x))
    u = flow(logistic.sample(20_000))[0]
    histogram = torch.histc(u, bins=10, min=0, max=1) / len(u) * 10
    torch.testing.assert_close(histogram, torch.ones(10, dtype=double), atol=0.12, rtol=0)
    torch.testing.assert_close(flow.inverse(flow(x)[0]), x)


@pytest.mark.parametrize("coupling", [AdditiveCoupling, AffineCoupling])
def test_which_jacobian_does_a_coupling_have(
    coupling: type[AdditiveCoupling] | type[AffineCoupling],
) -> None:
    """A block triangular one: identity and zero above, anything and a diagonal below."""
    flow = perturb(coupling(6, mlp).double(), 0.5)
    x = torch.randn(6, dtype=double)
    found = jacobian(flow, x)
    assert torch.equal(found[:3, :3], torch.eye(3, dtype=double))
    assert (found[:3, 3:] == 0).all()
    assert (found[3:, :3] != 0).any()
    block = found[3:, 3:]
    assert torch.equal(block, block.diagonal().diag())
    torch.testing.assert_close(flow(x[None])[1][0], block.diagonal().log().sum())


def test_can_a_flow_that_preserves_volume_change_the_entropy() -> None:
    """It cannot: the entropy of its samples is that of its base, however it bends the plane."""
    coupling = partial(AdditiveCoupling, net=mlp)
    flow = Chain(
        coupling(2), ShufflePermutation(2), coupling(2), OrthogonalLinear(2), ReversePermutation(2)
    )
    density = perturb(Density(StandardNormal(2), flow).double(), 0.5)
    with torch.no_grad():
        entropy = Grid(12, 400).entropy(density.log_prob)
    assert entropy == pytest.approx(1 + math.log(2 * math.pi), abs=1e-3)
    bent = density.sample(2000)
    assert (bent.T.cov() - torch.eye(2)).abs().max() > 0.3
    # A scaling by 2, which divides the density by 4, can.
    scaled = Density(StandardNormal(2), Chain(flow, affine(2, 0, features=2))).double()
    with torch.no_grad():
        smaller = Grid(12, 400).entropy(scaled.log_prob)
    assert smaller == pytest.approx(entropy - 2 * math.log(2), abs=1e-3)


@pytest.mark.parametrize("with_log_det", [True, False])
def test_why_does_maximum_likelihood_without_the_log_det_collapse_to_a_point(
    with_log_det: bool,  # noqa: FBT001
) -> None:
    """Mapping everything to the mode of the base is best, and only the log-det forbids it."""
    data = TwoMoons().sample(500)
    flow = affine(1, 0, features=2).float()
    base = StandardNormal(2)
    optimizer = torch.optim.Rprop(flow.parameters(), lr=0.05)
    for _ in range(60):
        z, log_det = flow(data)
        loss = -(base.log_prob(z) + log_det * with_log_det).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    z, _ = flow(data)
    if with_log_det:
        torch.testing.assert_close(z.std(0), torch.ones(2), atol=0.01, rtol=0)
    else:
        assert z.std(0).max() < 0.01
        assert loss.item() == pytest.approx(math.log(2 * math.pi), abs=1e-3)  # the mode's
