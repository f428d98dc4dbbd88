"""Errors that wrong input or the machine can cause, in one sentence each."""

import csv
import errno
import re
import tempfile
import time
import traceback
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

USER_ERRORS = (
    ValueError,
    FloatingPointError,
    ImportError,
    OSError,
    csv.Error,
    OmegaConfBaseException,
    HydraException,
)
# By name, because a misspelt key should not have to wait for the import of these libraries.
OF_LIBRARIES = {
    "lightning_fabric.utilities.exceptions.MisconfigurationException",
    "torch._C._LinAlgError",  # a matrix of a model that diverged
    "wandb.errors.errors.Error",
    "yaml.error.YAMLError",
}
AT_RUN_TIME = (FloatingPointError, MemoryError)
FULL = (errno.ENOSPC, errno.EDQUOT)
WRONG_INPUT, FAILED = 2, 1  # exit statuses
MISTAKES = {
    "lightning_fabric.utilities.exceptions.MisconfigurationException",
    "yaml.error.YAMLError",
}
OUT_OF_MEMORY = re.compile(r"not enough memory|can't allocate memory|out of memory", re.IGNORECASE)
UNWRITTEN = re.compile("PytorchStreamWriter failed|checkpoint cannot be written")
WANTED = re.compile(r"allocate ([\d.]+ ?\w+)", re.IGNORECASE)


def sentence(error: BaseException) -> str | None:
    """Return what was wrong, or None for an error that only a defect of the program can cause."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(text):
        return _out_of_memory(text)
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename} is a file, where a folder is needed"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.strerror}: {error.filename}"
    if "PytorchStreamWriter failed" in text:
        return f"a checkpoint could not be written, perhaps because the disk is full ({text})"
    names = _names(error)
    if "wandb.errors.errors.Error" in names:
        return f"{text} (logger=wandb; WANDB_MODE=offline needs neither a key nor a network)"
    return text if isinstance(error, USER_ERRORS) or names & OF_LIBRARIES else None


def status(error: BaseException) -> int:
    """Return the exit status of a program that an error ended: 2 for wrong input, else 1."""
    if sentence(error) is None or isinstance(error, AT_RUN_TIME):
        return FAILED
    if OUT_OF_MEMORY.search(str(error)) or UNWRITTEN.search(str(error)):
        return FAILED
    if isinstance(error, OSError):
        return FAILED if error.errno in FULL else WRONG_INPUT
    return WRONG_INPUT if isinstance(error, USER_ERRORS) or _names(error) & MISTAKES else FAILED


def _names(error: BaseException) -> set[str]:
    return {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}


def report_defect(error: BaseException) -> str:
    """Write the traceback of an error to a file; return a sentence that names the file."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    with tempfile.NamedTemporaryFile(
        "w", prefix=f"glow_{stamp}_", suffix=".txt", delete=False, errors="replace"
    ) as file:
        file.writelines(traceback.format_exception(error))
    return (
        f"this is a defect of the program ({type(error).__name__}); please report it with its "
        f"traceback, which is in {Path(file.name)}"
    )


def _out_of_memory(text: str) -> str:
    wanted = WANTED.search(text)
    amount = f" for {_readable(wanted[1])}" if wanted else ""
    return (
        f"there is not enough memory{amount}. A smaller batch needs less (data.batch_size, with "
        "images_per_step for the same steps; batch_size where nothing is trained), and so does "
        "training with model.memory=recompute or model.memory=reverse"
    )


def _readable(amount: str) -> str:
    number, _, unit = amount.partition(" ")
    return f"{float(number) / 1e9:.3g} GB" if unit == "bytes" else amount
