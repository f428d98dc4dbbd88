"""Downloads that several processes may start at once."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock


def download_once(download: Callable[[], object], lock_path: Path, *, absent: bool) -> None:
    """Download what is absent, in one process at a time.

    The other processes wait, and then find the files. The lock file exists only during a download,
    and after one that failed or was killed: as long as it does, files that seem to be there may be
    incomplete.

    Args:
        download: A function that downloads the files unless they are complete.
        lock_path: The lock file. Its folder is created if necessary.
        absent: Whether files are absent.
    """
    # ``absent`` was determined before the lock file is looked for. In the other order, a download
    # could begin in between, and its first files would look like all of them.
    if not absent and not lock_path.exists():
        return
    lock = FileLock(lock_path)
    # If the lock cannot be created in this folder, neither can the files: nothing to lock.
    with suppress(OSError):
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        download()
        if lock.is_locked:
            lock_path.unlink(missing_ok=True)
    finally:
        lock.release()
