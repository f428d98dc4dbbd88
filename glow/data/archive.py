"""Zip archives, and the web pages that are sometimes saved in their place."""

from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile


def open_archive(path: Path) -> ZipFile:
    """Open a zip archive; npz files are zip archives, too.

    Raises:
        ValueError: If the file is a web page, such as the quota page that a file host sends instead
            of a popular file, or if it is not a complete archive.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if start.lstrip()[:1] == b"<":
        raise ValueError(
            f"{path} is a web page, not a zip archive: the site sent its quota or login page "
            "instead of the file. Open it in a browser to read it, delete it, and download the "
            "file again later or from another site"
        )
    try:
        if not is_zipfile(path):
            raise BadZipFile("it has no table of contents")
        return ZipFile(path)
    except BadZipFile as error:
        raise ValueError(
            f"{path} is not a complete zip archive ({error}): the download was cut short, or the "
            "file is something else; download it again"
        ) from error
