"""Files that are whole or recognizably not, whatever ends the writing or changes a byte later."""

import functools
import hashlib
import os
import shutil
import struct
from pathlib import Path
from typing import Any

ARCHIVE, END_OF_ARCHIVE = b"PK\x03\x04", b"PK\x05\x06"  # in the files of torch.save
SEAL = b"sha256 "  # followed by 64 hexadecimal digits, as the comment of the zip archive
COMMENT_LENGTH = struct.Struct("<H")  # the end of an archive without a comment, with the value 0


class BrokenFileError(ValueError):
    """A file is not what was written."""


def save_sealed(content: Any, path: str | Path, previous: Path | None = None) -> None:
    """Write content with ``torch.save`` so that the file appears as a whole, with its checksum.

    The file is written next to its final place, synced, and renamed. If writing fails, a file that
    was there before is untouched.

    Args:
        content: What to save.
        path: The file. ``torch.load`` opens it like any other.
        previous: Where to keep the file that is replaced, or None to drop it.

    Raises:
        OSError: If the file cannot be written.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        _write(content, unfinished)
        if previous is not None and path.is_file():
            _keep(path, previous)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(path.parent)


def check_seal(path: str | Path) -> None:
    """Raise ``BrokenFileError`` if a file was cut off, or if its checksum is wrong.

    A file without a checksum, such as one of ``torch.save``, passes, and so does one that is no
    archive at all.
    """
    path = Path(path)
    status = path.stat()
    if defect := _defect(path, status.st_size, status.st_mtime_ns):
        raise BrokenFileError(f"{path} is damaged: {defect}")


def previous_of(path: str | Path) -> Path:
    """Return where the file is kept that a checkpoint replaced."""
    return Path(path).with_name(f"{Path(path).name}.previous")


def _write(content: Any, path: Path) -> None:
    import torch  # here, so that looking for a file does not wait for it

    try:
        torch.save(content, path)
    except RuntimeError as error:  # how torch reports what the system refused
        raise OSError(f"{path.parent}: a checkpoint cannot be written ({error})") from error
    with path.open("r+b") as file:
        comment = SEAL + hashlib.file_digest(file, "sha256").hexdigest().encode()
        file.seek(-COMMENT_LENGTH.size, os.SEEK_END)
        file.write(COMMENT_LENGTH.pack(len(comment)) + comment)
        file.flush()
        os.fsync(file.fileno())


@functools.lru_cache(maxsize=64)
def _defect(path: Path, size: int, changed: int) -> str:
    """Return what is wrong; size and time of change say when it must be found out again."""
    length = len(SEAL) + 64
    with path.open("rb") as file:
        start = file.read(len(ARCHIVE))
        if not start.strip(b"\0"):  # as a loss of power leaves files
            return "it is empty"
        if start != ARCHIVE[: len(start)]:
            file.seek(max(0, size - length))
            return "its checksum is wrong" if file.read().startswith(SEAL) else ""
        file.seek(max(0, size - length))
        comment = file.read()
        if END_OF_ARCHIVE in comment[-22:]:  # it ends without a comment
            return ""
        if not comment.startswith(SEAL):
            return "its end is missing"
        file.seek(0)
        digest, left = hashlib.sha256(), size - length - COMMENT_LENGTH.size
        while left > 0 and (part := file.read(min(left, 2**20))):
            digest.update(part)
            left -= len(part)
        digest.update(COMMENT_LENGTH.pack(0))
        sound = file.read(COMMENT_LENGTH.size) == COMMENT_LENGTH.pack(length)
    sound &= comment == SEAL + digest.hexdigest().encode()
    return "" if sound else "its checksum is wrong"


def _keep(path: Path, previous: Path) -> None:
    """Keep a file under another name, too, so that at no moment it is gone."""
    spare = previous.with_name(f".{previous.name}.part")
    spare.unlink(missing_ok=True)
    try:
        os.link(path, spare)
    except OSError:  # of a file system without links
        shutil.copyfile(path, spare)
    spare.replace(previous)


def _sync_folder(folder: Path) -> None:
    """Make a rename last; some systems cannot open folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
