"""The claim of a process to a run folder, so that no two runs write to the same one."""

import itertools
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from glow.runs.program import echo
from glow.runs.run_folder import RunFolder


class FolderInUseError(OSError):
    """Another process works in the folder."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Claim a folder until the context ends, for this process and those that it starts.

    The system releases the claim of a process that is killed. A line says so when the next process
    takes such a folder over.

    Args:
        folder: The folder, which is created if it is not there.

    Raises:
        FolderInUseError: If another process has claimed it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(folder / ".lock"), folder / ".owner"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FolderInUseError(f"{folder} is in use by {_read(owner)}") from None
    try:
        if owner.exists():
            echo(f"taking {folder} over from {_read(owner)}, which was killed")
        owner.write_text(f"process {os.getpid()} on {platform.node()} since {time.ctime()}")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _read(owner: Path) -> str:
    try:
        return owner.read_text() or "another process"
    except OSError:
        return "another process"


@contextmanager
def claimed_run_folder(path: Path, *, free: bool) -> Iterator[RunFolder]:
    """Claim the folder of a run until the context ends.

    Args:
        path: The folder.
        free: Whether to take the next free name, with a number added, if the folder is in use or
            already holds a run.

    Raises:
        FolderInUseError: If another process has claimed it, and ``free`` is False.
    """
    with ExitStack() as stack:
        for number in itertools.count(1):
            folder = RunFolder(path if number == 1 else path.with_name(f"{path.name}_{number}"))
            if free and folder.config.is_file():
                continue
            try:
                stack.enter_context(claimed(folder.path))
                break
            except FolderInUseError:
                if not free:
                    raise
        yield folder
