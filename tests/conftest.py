"""Fixtures: a seed, small models, and the values of the reference implementation."""

from functools import partial
from pathlib import Path

import pytest
import torch

from glow import Glow
from glow.layers import AffineCoupling, CouplingNet
from tests.bijections import perturb

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def images() -> torch.Tensor:
    """Eight random images, (8,1,8,8)."""
    return torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8)


@pytest.fixture
def model(images: torch.Tensor) -> Glow:
    """A small Glow for those images, initialised and moved off its initial values."""
    coupling = partial(AffineCoupling, net=partial(CouplingNet, width=8))
    model = Glow((1, 8, 8), n_levels=2, n_steps=2, coupling=coupling)
    model.initialize(images)
    return perturb(model, 0.05)
