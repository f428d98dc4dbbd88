"""Fixtures: a seed, small models and their images."""

import logging
import os
import signal
from functools import partial

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, each in one thread

import pytest
import torch
from hypothesis import settings

from glow import Glow
from glow.bijections import AffineCoupling
from glow.models import ClassConditionalPrior
from glow.nets import CouplingNet
from tests.small_models import perturb

signal.signal(signal.SIGINT, signal.default_int_handler)  # which jobs in the background ignore
# pytest listens to loggers that do not propagate, and torch then records each step of an export.
logging.getLogger("torch.__trace").propagate = True
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def images() -> torch.Tensor:
    """Eight random images, (8,1,8,8)."""
    return torch.randint(0, 256, (8, 1, 8, 8), dtype=torch.uint8)


@pytest.fixture
def model(images: torch.Tensor) -> Glow:
    """A small Glow for those images, initialized and moved off its initial values."""
    coupling = partial(AffineCoupling, net=partial(CouplingNet, width=8))
    model = Glow((1, 8, 8), n_levels=2, n_steps=2, coupling=coupling)
    model.initialize(images)
    return perturb(model, 0.05)


@pytest.fixture
def by_class(images: torch.Tensor) -> Glow:
    """A model of those images with 4 classes, which decodes latents differently for each class."""
    top = partial(ClassConditionalPrior, n_classes=4)
    coupling = partial(AffineCoupling, net=partial(CouplingNet, width=8))
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=coupling, top=top)
    model.initialize(images, torch.arange(8) % 4)
    perturb(model.flow.top, 0.1)
    return perturb(model, 0.02)
