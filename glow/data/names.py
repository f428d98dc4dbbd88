"""Names of files and folders, which may hold any characters, as text that can be shown."""

from pathlib import Path


def printable(name: str) -> str:
    r"""Return a name on one line, with escapes for what cannot be printed.

    Line breaks become spaces. Bytes that are not UTF-8, control characters and those that turn the
    direction of writing are escaped.

    >>> printable("new\nline \x1b \udcff")
    'new line \\x1b \\udcff'
    """
    return "".join(
        character
        if character.isprintable()
        else " "
        if character.isspace()
        else character.encode("unicode_escape").decode()
        for character in name
    )


def shortened(text: str, length: int = 60) -> str:
    """Replace the middle of a text by an ellipsis if it is longer than ``length``.

    >>> shortened("a very long name.png", 11)
    'a ver…e.png'
    """
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[: length - 1 - half]}…{text[-half:]}"


def user_path(path: str | Path) -> Path:
    """Return a path with a leading ``~`` replaced by the home folder, as a shell does it."""
    return Path(path).expanduser() if str(path) == "~" or str(path).startswith("~/") else Path(path)
