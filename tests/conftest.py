"""Fixtures: a seed, a small model and its images, the config of a small run."""

import importlib
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hypothesis import settings
from omegaconf import DictConfig

from glow import Glow
from glow.layers import AffineCoupling, ClassConditionalPrior, CouplingNet
from tests.bijections import perturb

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).parents[1]


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


@pytest.fixture
def by_class(images: torch.Tensor) -> Glow:
    """A model of those images with 4 classes, which draws the same latents differently by each."""
    top = partial(ClassConditionalPrior, n_classes=4)
    coupling = partial(AffineCoupling, net=partial(CouplingNet, width=8))
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=coupling, top=top)
    model.initialize(images, torch.arange(8) % 4)
    perturb(model.flow.top, 0.1)
    return perturb(model, 0.02)


def compose_train(folder: Path, *overrides: str) -> DictConfig:
    """Return the config of a training run in ``folder``, as small as it gets."""
    tiny = [
        f"run_dir={folder}",
        "model.n_levels=2",
        "model.n_steps=1",
        "model.coupling.net.width=8",
        "trainer.accelerator=cpu",
        "callbacks.samples.every_n_epochs=100",
        "~callbacks.progress",
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", [*tiny, *overrides])


def call(monkeypatch: pytest.MonkeyPatch, program: str, *arguments: str) -> None:
    """Run a program in this process."""
    monkeypatch.setattr(sys, "argv", [f"{program}.py", *arguments])
    importlib.import_module(f"experiments.{program}").main()


def refusal(monkeypatch: pytest.MonkeyPatch, program: str, *arguments: str) -> str:
    """Run a program that is to end with a sentence; return the sentence."""
    with pytest.raises(SystemExit) as stopped:
        call(monkeypatch, program, *arguments)
    assert isinstance(stopped.value.code, str)
    return stopped.value.code
