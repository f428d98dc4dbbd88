import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from glow.targets import (
    Checkerboard,
    Copies,
    Distribution,
    EightGaussians,
    Grid,
    Picture,
    Pinwheel,
    Potential1,
    Potential2,
    Potential3,
    Potential4,
    Rings,
    Target,
    TwoMoons,
    TwoSpirals,
)
from glow.targets.potentials import Potential

KINDS = [Checkerboard, EightGaussians, Pinwheel, Rings, TwoMoons, TwoSpirals]
DISTRIBUTIONS: dict[str, Callable[[], Distribution]] = {kind.__name__: kind for kind in KINDS}
POTENTIALS = [Potential1, Potential2, Potential3, Potential4]


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    """Three pixels, the lower left of which is white and the lower right half as dark."""
    image = Image.new("L", (2, 2))
    image.putdata([0, 0, 255, 127])
    image.save(tmp_path / "picture.png")
    return Picture(str(tmp_path / "picture.png"))


def assert_samples_follow_the_density(target: Distribution, n: int = 10_000) -> None:
    """Compare the numbers of samples in 8 x 8 cells with integrals over them."""
    grid = Grid(target.bound, 200)
    masses = grid.evaluate(target.log_density).exp() * grid.area
    expected = masses.unflatten(0, (8, 25)).unflatten(2, (8, 25)).sum((1, 3))
    x = target.sample(n, torch.Generator().manual_seed(0))
    assert x.dtype == torch.float32
    edges = torch.linspace(-target.bound, target.bound, 9)
    counts = torch.histogramdd(x, [edges, edges]).hist.double()
    errors = (counts / n - expected).abs()
    assert (errors < 4.5 * (expected / n).sqrt() + 1e-3).all()


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_samples_follow_the_density(name: str) -> None:
    assert_samples_follow_the_density(DISTRIBUTIONS[name]())


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_density_integrates_to_1(name: str) -> None:
    target = DISTRIBUTIONS[name]()
    assert Grid(1.25 * target.bound, 120).integral(target.log_density) == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_entropy_is_the_mean_of_the_samples(name: str) -> None:
    target = DISTRIBUTIONS[name]()
    log_densities = target.log_density(target.sample(10_000, torch.Generator().manual_seed(0)))
    tolerance = 4 * log_densities.std().item() / math.sqrt(10_000) + 1e-3
    assert -log_densities.mean().item() == pytest.approx(target.entropy, abs=tolerance)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_seed_determines_the_samples(name: str) -> None:
    target = DISTRIBUTIONS[name]()
    first, second = (target.sample(5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("kind", [*KINDS[1:], *POTENTIALS])
def test_the_density_has_gradients_everywhere(kind: Callable[[], Target]) -> None:
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0], [5.0, -7.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(kind().log_density(x).sum(), x)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("noise", [0, -1, math.nan])
def test_a_noise_that_is_not_above_0_raises(noise: float) -> None:
    with pytest.raises(ValueError, match=f"noise must be above 0, got {noise}"):
        TwoMoons(noise)


def test_a_picture_is_a_density(picture: Picture) -> None:
    """Of 16 units of area each, the upper pixels hold 2/5 and the lower right one 1/5."""
    x = torch.tensor([[-2.0, 2.0], [2.0, 2.0], [2.0, -2.0], [-2.0, -2.0], [5.0, 0.0]])
    ink = 255 + 255 + 128
    expected = torch.tensor([255 / ink / 16, 255 / ink / 16, 128 / ink / 16, 0, 0])
    torch.testing.assert_close(picture.log_density(x).exp(), expected)
    shares = torch.tensor([255, 255, 128]) / ink
    assert picture.entropy == pytest.approx((shares * (16 / shares).log()).sum().item(), abs=1e-6)
    assert_samples_follow_the_density(picture)


def test_a_wide_picture_spans_the_square_from_left_to_right(tmp_path: Path) -> None:
    Image.new("L", (40, 20)).save(tmp_path / "wide.png")
    target = Picture(str(tmp_path / "wide.png"), resolution=10)
    x = torch.tensor([[-3.9, -1.9], [3.9, 1.9], [0.0, 2.1]])
    torch.testing.assert_close(target.log_density(x).exp(), torch.tensor([1 / 32, 1 / 32, 0]))
    assert target.masses.shape == (10, 5)


def test_a_picture_without_ink_raises(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 255).save(tmp_path / "white.png")
    with pytest.raises(ValueError, match=r"white\.png has no dark pixels"):
        Picture(str(tmp_path / "white.png"))
    assert Picture(str(tmp_path / "white.png"), ink="bright").entropy == pytest.approx(math.log(64))


def test_a_missing_picture_raises() -> None:
    with pytest.raises(ValueError, match=r"nobody\.png cannot be used as a picture: there is no"):
        Picture("nobody.png")


def test_potentials_are_those_of_the_paper() -> None:
    """Table 1, written as it is printed there."""
    z = torch.randn(20, 2, dtype=torch.float64)
    z_1, z_2 = z.T
    w_1 = torch.sin(2 * math.pi * z_1 / 4)
    w_2 = 3 * torch.exp(-0.5 * ((z_1 - 1) / 0.6) ** 2)
    w_3 = 3 / (1 + torch.exp(-(z_1 - 1) / 0.3))
    lobes = [torch.exp(-0.5 * ((z_1 + sign * 2) / 0.6) ** 2) for sign in (-1, 1)]
    first = torch.exp(-0.5 * ((z_2 - w_1) / 0.35) ** 2)
    wider = torch.exp(-0.5 * ((z_2 - w_1) / 0.4) ** 2)
    expected: dict[Callable[[], Potential], Tensor] = {
        Potential1: 0.5 * ((z.norm(dim=1) - 2) / 0.4) ** 2 - torch.log(lobes[0] + lobes[1]),
        Potential2: 0.5 * ((z_2 - w_1) / 0.4) ** 2,
        Potential3: -torch.log(first + torch.exp(-0.5 * ((z_2 - w_1 + w_2) / 0.35) ** 2)),
        Potential4: -torch.log(wider + torch.exp(-0.5 * ((z_2 - w_1 + w_3) / 0.35) ** 2)),
    }
    for kind, energy in expected.items():
        torch.testing.assert_close(kind().energy(z), energy)


@pytest.mark.parametrize("kind", POTENTIALS)
def test_a_potential_ends_at_the_side_of_its_square(kind: type[Potential]) -> None:
    target = kind()
    inside = Grid(target.bound, 200).integral(target.log_density)
    assert inside == pytest.approx(math.exp(target.log_normalizer), rel=0.1)


def test_copies_are_independent() -> None:
    moons = TwoMoons()
    target = Copies(moons, 3)
    assert (target.features, target.entropy) == (6, 3 * moons.entropy)
    x = target.sample(4)
    expected = sum(moons.log_density(x[:, [i, i + 3]]) for i in range(3))
    torch.testing.assert_close(target.log_density(x), expected)
    correlations = target.sample(2000).T.corrcoef()
    assert abs(correlations[0, 1]) < 0.1
    assert abs(correlations[0, 3] - moons.sample(2000).T.corrcoef()[0, 1]) < 0.1
