"""What the programs in ``experiments/`` share: Hydra's command line, and errors in one sentence.

Nothing heavy is imported here, so that ``--help``, ``--cfg job`` and misspelt overrides are
answered at once.
"""

import ctypes
import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console, RenderableType
from rich.table import Table

from glow.runs.help import help_text

CONFIGS = Path(__file__).resolve().parents[2] / "conf"
USER_ERRORS = (
    ValueError,
    TypeError,
    OSError,
    FloatingPointError,
    ImportError,
    OmegaConfBaseException,
)


def entry_point(name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """Turn a function of a config into a program: ``conf/<name>.yaml`` and Hydra's command line.

    An error that wrong input can cause ends the program with its message and status 1. With
    ``HYDRA_FULL_ERROR=1`` the traceback is shown instead. In a sweep errors are left to Hydra,
    which names the job.
    """

    def program(function: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        @functools.wraps(function)
        def run(config: DictConfig) -> Any:
            _silence_libraries()
            keep_freed_memory()
            try:
                return function(config)
            except USER_ERRORS as error:
                sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
                if sweeping or os.environ.get("HYDRA_FULL_ERROR") == "1":
                    raise
                sys.exit(f"error: {error}\n(HYDRA_FULL_ERROR=1 shows where)")

        start = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)(run)

        @functools.wraps(function)
        def main() -> Any:
            if not {"-h", "--help"} & set(sys.argv[1:]):
                return start()
            overrides = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
            try:
                return echo(help_text(CONFIGS, name, overrides))
            except HydraException as error:
                sys.exit(f"error: {error}")

        return main

    return program


def echo(what: RenderableType) -> None:
    """Print a line or a table.

    A launcher that passes a program to other processes can pickle this function, but not a console.
    """
    Console(highlight=False, soft_wrap=True, markup=False).print(what)


def print_numbers(title: str, numbers: Mapping[str, float]) -> None:
    """Print a table of numbers.

    Args:
        title: The title of the table.
        numbers: Numbers by name; underscores in names become spaces.
    """
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in numbers.items():
        table.add_row(name.replace("_", " "), f"{value:.4f}".removesuffix(".0000"))
    echo(table)


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for later; return whether it does.

    Otherwise glibc returns large tensors to the system, which clears their pages when they are
    needed again. That costs a tenth of a training step on a CPU, and is its largest source of
    noise.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    trim_threshold, mmap_threshold, most = -1, -3, 2**31 - 1  # as malloc.h numbers them
    return mallopt is not None and all(
        mallopt(option, most) for option in (trim_threshold, mmap_threshold)
    )


def _silence_libraries() -> None:
    """Silence advice that does not apply here; other warnings still show."""
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # batches are read whole
    warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")  # within Lightning
    # A run that ends before its first validation has no best checkpoint and keeps its last one.
    warnings.filterwarnings("ignore", ".*could not find the monitored key.*")
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # a run that is resumed
    warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")  # its order is
    warnings.filterwarnings("ignore", ".*Using `DistributedSampler` with.*")  # ours repeats nothing
    for package in ("pytorch_lightning", "lightning_fabric"):  # importing them resets their levels
        logging.getLogger(f"{package}.utilities.rank_zero").setLevel(logging.WARNING)
