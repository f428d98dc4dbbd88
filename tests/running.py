"""Running the programs of ``experiments/`` from tests."""

import contextlib
import importlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Checkpoint

from tests.paths import CONF

TINY = (
    "model.n_levels=2",
    "model.n_steps=1",
    "model.coupling.net.width=8",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
)


def compose_train(folder: Path, *overrides: str) -> DictConfig:
    """Return the config of a training run in ``folder``, as small as it gets.

    Models other than Glow bring their own sizes.
    """
    glow = not any(override.startswith("model=") for override in overrides)
    tiny = [
        f"run_dir={folder}",
        *(TINY if glow else [option for option in TINY if not option.startswith("model.")]),
        "trainer.max_epochs=100",
        "callbacks.samples.every_n_epochs=100",
        "~callbacks.progress",
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [*tiny, *overrides])


def call(monkeypatch: pytest.MonkeyPatch, program: str, *arguments: str) -> None:
    """Run a program in this process."""
    monkeypatch.setattr(sys, "argv", [f"{program}.py", *arguments])
    importlib.import_module(f"experiments.{program}").main()


def refusal(monkeypatch: pytest.MonkeyPatch, program: str, *arguments: str, status: int = 2) -> str:
    """Run a program that must end with an error message and a status; return the message."""
    printed = io.StringIO()
    with contextlib.redirect_stderr(printed), pytest.raises(SystemExit) as stopped:
        call(monkeypatch, program, *arguments)
    assert stopped.value.code == status, printed.getvalue()
    return printed.getvalue().strip()


def trainer_in(folder: Path, **options: Any) -> Trainer:
    """Return a trainer on the CPU that writes nothing, unless a callback is given that saves."""
    saving = any(isinstance(callback, Checkpoint) for callback in options.get("callbacks", []))
    return Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=saving,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )
