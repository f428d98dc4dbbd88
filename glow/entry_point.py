"""What the programs in ``experiments/`` share: Hydra, quiet libraries, errors in a sentence."""

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
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console, RenderableType
from rich.table import Table

CONFIGS = Path(__file__).resolve().parent.parent / "conf"
TOLD_IN_A_SENTENCE = (
    ValueError,
    TypeError,
    OSError,
    FloatingPointError,
    ModuleNotFoundError,
    OmegaConfBaseException,
)


def entry_point(name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """Make a function of a config a program with ``conf/<name>.yaml`` and Hydra's command line.

    What is wrong with the input is told in one sentence, and the program ends with status 1. With
    ``HYDRA_FULL_ERROR=1`` the traceback is shown instead; within a sweep the error is left to
    Hydra, which says whose it is.
    """

    def program(function: Callable[[DictConfig], Any]) -> Callable[[], Any]:
        @functools.wraps(function)
        def run(config: DictConfig) -> Any:
            _quieten_libraries()
            keep_freed_memory()
            try:
                return function(config)
            except (InstantiationException, *TOLD_IN_A_SENTENCE) as error:
                sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
                if sweeping or os.environ.get("HYDRA_FULL_ERROR") == "1":
                    raise
                told = error.__cause__ if isinstance(error, InstantiationException) else error
                sys.exit(f"error: {told or error}\n(HYDRA_FULL_ERROR=1 shows where)")

        return hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)(run)

    return program


def tell(what: RenderableType) -> None:
    """Print a line or a table.

    Where a launcher hands a program to other processes, this goes along, as a console would not.
    """
    Console(highlight=False, soft_wrap=True, markup=False).print(what)


def print_numbers(title: str, numbers: Mapping[str, float]) -> None:
    """Print a table of numbers."""
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in numbers.items():
        table.add_row(name.replace("_", " "), f"{value:.4f}".removesuffix(".0000"))
    tell(table)


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, and tell whether it does.

    Where it is glibc, large tensors would else be given back to the system, which clears them page
    by page when they are wanted again: a tenth of a training step on a CPU, and its largest noise.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    trim_threshold, mmap_threshold, most = -1, -3, 2**31 - 1  # as malloc.h names them
    return mallopt is not None and all(
        mallopt(option, most) for option in (trim_threshold, mmap_threshold)
    )


def _quieten_libraries() -> None:
    """Silence advice that does not apply here; warnings that may matter still show."""
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # they are read at once
    warnings.filterwarnings("ignore", ".*LeafSpec.*is deprecated.*")  # within Lightning
    # A run cut short before its first validation has no best checkpoint, and keeps its last one.
    warnings.filterwarnings("ignore", ".*could not find the monitored key.*")
    warnings.filterwarnings("ignore", ".*exists and is not empty.*")  # a run that is resumed
    warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")  # its order is
    warnings.filterwarnings("ignore", ".*Using `DistributedSampler` with.*")  # ours repeats nothing
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
