"""Zip archives, and what is sent in their place."""

from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile


def open_archive(path: Path) -> ZipFile:
    """Open a zip archive, as ``npz`` files are, too.

    Raises ``ValueError``, with what to do, where the file is a web page that was saved under the
    archive's name (as a drive sends when too many people download), or is not a whole archive.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if start.lstrip()[:1] == b"<":
        raise ValueError(
            f"{path} is a web page, not a zip archive: the site sent its quota or login page in "
            "place of the file. Open it in a browser to see what it says, delete it, and download "
            "the file again later or from somewhere else"
        )
    try:
        if not is_zipfile(path):
            raise BadZipFile("it has no table of contents")
        return ZipFile(path)
    except BadZipFile as error:
        raise ValueError(
            f"{path} is no whole zip archive ({error}): its download was cut short, or it is "
            "something else; download it again"
        ) from error
