"""Every flow under conf/flow is a density whose samples follow it, after a short training."""

import functools

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor

from glow.checkpoint import build as rebuild
from glow.checkpoint import describe
from glow.models import LayeredDensity
from glow.runs.building import build
from glow.runs.density import target_of
from glow.targets import Distribution, Grid, Target
from glow.training.vectors import fit
from tests.paths import CONF

FLOWS = sorted(path.stem for path in (CONF / "flow").glob("*.yaml"))
EXACT = [name for name in FLOWS if name != "ffjord"]  # whose log-densities are estimates
TARGETS = sorted(path.stem for path in (CONF / "target").glob("*.yaml"))
SAMPLED = [name for name in TARGETS if not name.startswith(("picture", "potential"))]
N = 1000


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("density2d", ["run_dir=run", "steps=40", "optimizer.lr=0.01", *overrides])


@functools.cache
def trained(flow: str, target: str) -> tuple[LayeredDensity, Distribution]:
    torch.manual_seed(0)
    config = composed(f"flow={flow}", f"target={target}")
    config.flow.n_layers = min(config.flow.n_layers, 3)
    if "net" in config.flow.layer:
        config.flow.layer.net.width = 24
    data = target_of(config)
    assert isinstance(data, Distribution)
    density: LayeredDensity = build(config.flow, "flow")
    generator = torch.Generator().manual_seed(0)
    density.flow.initialize(data.sample(500, generator))
    optimizer = build(config.optimizer, "optimizer")(density.parameters())
    objective = build(config.objective, "objective")(data)
    fit(density, objective, optimizer, None, range(config.steps), 128, generator)
    return density.requires_grad_(False), data


def energy_test(x: Tensor, y: Tensor, n_permutations: int = 200) -> float:
    """Return the p-value of the energy distance of two samples (N,D) under permutations.

    Szekely and Rizzo 2004.
    """
    both = torch.cat([x, y])
    distances = torch.cdist(both, both)
    signs = torch.ones(len(both))
    signs[len(x) :] = -1
    shuffled = torch.stack(
        [signs, *(signs[torch.randperm(len(both))] for _ in range(n_permutations))]
    )
    energies = -(shuffled @ distances * shuffled).sum(1)
    return (energies[1:] >= energies[0]).float().mean().item()


@pytest.mark.slow
@pytest.mark.parametrize("target", SAMPLED)
@pytest.mark.parametrize("flow", EXACT)
def test_a_trained_density_integrates_to_1(flow: str, target: str) -> None:
    density, data = trained(flow, target)
    total = Grid(2 * data.bound, 150).integral(density.log_prob, torch.float32)
    assert total == pytest.approx(1, abs=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("flow", EXACT)
def test_samples_and_density_agree(flow: str) -> None:
    """Points drawn by the flow, and points drawn by rejection from its density."""
    density, data = trained(flow, "two_moons")
    grid = Grid(1.5 * data.bound, 120)
    masses = grid.evaluate(density.log_prob, torch.float32).exp().flatten()
    cells = masses.multinomial(N, replacement=True)
    corners = torch.cartesian_prod(grid.axis, grid.axis)[cells].float()
    drawn = corners + (torch.rand(N, 2) - 0.5) * grid.area**0.5
    assert energy_test(density.sample(N), drawn) > 0.005


def test_the_two_sample_test_finds_a_difference() -> None:
    density, data = trained("linear", "two_moons")
    assert energy_test(density.sample(N), data.sample(N)) < 0.005
    assert energy_test(data.sample(N), data.sample(N)) > 0.005


def test_the_samples_of_a_good_flow_are_like_held_out_data() -> None:
    """A short training is enough to pass for a few points."""
    density, data = trained("spline", "two_moons")
    assert energy_test(density.sample(100), data.sample(100)) > 0.005


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("flow", FLOWS)
def test_every_flow_can_be_rebuilt_and_reversed(flow: str, reverse: bool) -> None:  # noqa: FBT001
    config = composed(f"flow={flow}", f"flow.reverse={reverse}", "features=4")
    density = build(config.flow, "flow")
    again = rebuild(describe(density))
    again.load_state_dict(density.state_dict())
    x = torch.randn(3, 4)
    if flow != "ffjord":
        with torch.no_grad():
            assert torch.equal(again.log_prob(x), density.log_prob(x))


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "picture"])
def test_every_target_can_be_built(target: str) -> None:
    built = target_of(composed(f"target={target}"))
    assert isinstance(built, Target)
    x = torch.zeros(1, 2)
    assert built.log_density(x).shape == (1,)


def test_the_divergence_falls_with_the_number_of_planar_layers() -> None:
    """As in figure 3 of Rezende and Mohamed 2015, in a short training."""
    found = []
    for n_layers in (1, 8):
        torch.manual_seed(1)
        overrides = ("flow=planar", "target=potential_1", "objective=variational")
        config = composed(*overrides, f"flow.n_layers={n_layers}", "optimizer.lr=0.03")
        density: LayeredDensity = build(config.flow, "flow")
        optimizer = build(config.optimizer, "optimizer")(density.parameters())
        objective = build(config.objective, "objective")(target_of(config))
        generator = torch.Generator().manual_seed(0)
        losses = fit(density, objective, optimizer, None, range(100), 128, generator)
        found.append(sum(losses[-20:]) / 20)
    assert found[1] < found[0] - 0.1
