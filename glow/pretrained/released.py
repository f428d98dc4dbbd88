"""Released models: which there are, what is known about each, and what a name or path means."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Released:
    """The files of a model that is part of the package.

    Args:
        name: Its short name, such as ``celeba32``.
    """

    name: str

    @property
    def checkpoint(self) -> Path:
        """The model, as ``glow.save`` writes it."""
        return FOLDER / f"{self.name}.pt"

    @property
    def description(self) -> Path:
        """What the model was trained on, by which command, at what cost, and its bits/dim."""
        return FOLDER / f"{self.name}.json"

    @property
    def directions(self) -> Path:
        """The directions of attributes; the file need not exist."""
        return FOLDER / f"{self.name}_directions.npz"

    def describe(self) -> dict[str, Any]:
        """Read the description."""
        content: dict[str, Any] = json.loads(self.description.read_text(encoding="utf-8"))
        return content


def names() -> list[str]:
    """Return the short names of the models, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def find(name: str | Path) -> Released | None:
    """Return the model of a short name, or the one whose checkpoint is at this path, or None."""
    path = Path(name)
    if str(name) in names():
        return Released(str(name))
    if path.suffix == ".pt" and path.resolve().parent == FOLDER and path.stem in names():
        return Released(path.stem)
    return None


def resolve(path: str | Path) -> Path:
    """Return the file that a path or a short name means. A file that exists comes first.

    Args:
        path: A file, or the short name of a model.
    """
    released = find(path)
    return Path(path) if released is None or Path(path).is_file() else released.checkpoint


def directions_at(path: str | Path) -> Path:
    """Return the file of directions that a path or a short name means. A file comes first.

    Args:
        path: A file, or the short name of a model.
    """
    released = find(path)
    return Path(path) if released is None or Path(path).is_file() else released.directions


def advice(path: str | Path) -> str:
    """Return the end of a sentence about a path where nothing is: the names that there are.

    Args:
        path: What was given instead of a file or a short name.
    """
    known = names()
    if not known:
        return ""
    word = Path(path).name.lower()
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    meant = f"; perhaps {close[0]} is meant" if close else ""
    return f", or the name of a model that comes with Glow: {', '.join(known)}{meant}"
