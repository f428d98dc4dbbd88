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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console, RenderableType
from rich.table import Table

from glow.runs import errors
from glow.runs.choices import without_null
from glow.runs.help import help_text
from glow.runs.run_folder import RunFolder
from glow.runs.spelling import check_added, corrected
from glow.system.interruption import Stopped, signals_raised

CONFIGS = Path(__file__).resolve().parents[2] / "conf"
FULL_ERROR = "HYDRA_FULL_ERROR"
OURS = "GLOW_SENTENCES"  # set if it was this module that set the variable above


def entry_point(name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Turn a function of a config into a program: ``conf/<name>.yaml`` and Hydra's command line.

    An error ends the program with one sentence, and status 2 if the input was wrong, else 1; a
    signal with one line, and 128 plus its number: 130 for Ctrl-C, 143 for SIGTERM. With
    ``HYDRA_FULL_ERROR=1`` the traceback is shown instead.

    Args:
        name: The name of the program and of its config.
    """

    def program(function: Callable[[DictConfig], Any]) -> Callable[[], None]:
        @functools.wraps(function)
        def run(config: DictConfig) -> Any:
            _silence_libraries()
            keep_freed_memory()
            if HydraConfig.get().mode == RunMode.MULTIRUN:  # Hydra names the job that failed
                return function(config)
            with _errors_in_one_sentence():
                _check_checkpoint(config)
                return function(config)

        start = hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)(run)

        @functools.wraps(function)
        def main() -> None:
            _replace_what_cannot_be_encoded()
            with _errors_in_one_sentence():
                sys.argv[1:] = without_null(sys.argv[1:], CONFIGS, name)
                if {"-h", "--help"} & set(sys.argv[1:]):
                    overrides = [word for word in sys.argv[1:] if not word.startswith("-")]
                    return echo(help_text(CONFIGS, name, overrides))
                check_added(sys.argv[1:], CONFIGS, name)
                try:
                    with _raised_by_hydra():
                        start()
                except ConfigCompositionException as error:
                    if _traceback_wanted():
                        raise
                    raise ValueError(corrected(str(error), CONFIGS, name, sys.argv[1:])) from error

        return main

    return program


def _check_checkpoint(config: DictConfig) -> None:
    """Raise ``FileNotFoundError`` if a program would open a model that is not there."""
    opens_model = {"checkpoint", "trusted"} <= set(config)  # and so names who may provide layers
    if opens_model and not OmegaConf.is_missing(config, "checkpoint") and config.checkpoint:
        RunFolder.checkpoint_at(config.checkpoint)


def _traceback_wanted() -> bool:
    return os.environ.get(FULL_ERROR) == "1" and OURS not in os.environ


@contextmanager
def _raised_by_hydra() -> Iterator[None]:
    """Let Hydra raise errors in its own work, instead of printing their traceback."""
    if _traceback_wanted():
        yield
        return
    before = dict(os.environ)
    os.environ.update({FULL_ERROR: "1", OURS: "1"})
    try:
        yield
    finally:
        for name in (FULL_ERROR, OURS):
            os.environ.pop(name)
            if name in before:
                os.environ[name] = before[name]


@contextmanager
def _errors_in_one_sentence() -> Iterator[None]:
    """End the program with a sentence and a status, unless the traceback is wanted."""
    try:
        with signals_raised():
            yield
    except Stopped as stopped:
        # Of several processes of one run, the first says so.
        first = os.environ.get("LOCAL_RANK", "0") == "0"
        _end(stopped.status, (stopped.message or f"stopped by {stopped.name}") if first else "")
    except BrokenPipeError:  # of a reader such as head, which has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if _traceback_wanted():
            raise
        _end(
            errors.status(error), f"error: {errors.sentence(error) or errors.report_defect(error)}"
        )


def _end(status: int, message: str) -> NoReturn:
    if message:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(message)
    sys.exit(status)


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


def _replace_what_cannot_be_encoded() -> None:
    """Let a terminal show ? for characters that it does not have, such as those of file names."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


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
