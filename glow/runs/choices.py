"""The choices for groups of configs, and what to do if none of them is wanted."""

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

NONE = "none"  # the choice that switches an optional part off
GROUP = re.compile(r"(?P<key>\+{0,2}(?P<group>[\w/]+)(@[\w.]+)?)=(?P<values>.*)", re.DOTALL)


def choices(folder: Path) -> list[str]:
    """Return the choices for the group of a folder, without those for the groups inside of it."""
    defaults = [OmegaConf.load(path).get("defaults", []) for path in folder.glob("*.yaml")]  # type: ignore[arg-type]
    entries = [entry for entry in chain(*defaults) if isinstance(entry, DictConfig)]
    inner = {str(group).partition("@")[0] for entry in entries for group in entry}
    names = [path.relative_to(folder).with_suffix("") for path in folder.rglob("*.yaml")]
    return sorted(name.as_posix() for name in names if name.parts[0] not in {*inner, "shared"})


def without_null(arguments: Iterable[str], configs: Path, name: str) -> list[str]:
    """Replace ``group=null`` on a command line, which Hydra refuses, by ``group=none``.

    Args:
        arguments: The command line.
        configs: The folder of the configs.
        name: The name of the program's config.

    Returns:
        The command line, without ``group=null`` where null is the default of an optional group.

    Raises:
        ValueError: If the group has no such choice.
    """
    chosen = []
    for argument in arguments:
        override = GROUP.fullmatch(argument)
        values = override["values"].split(",") if override else []
        folder = configs / override["group"] if override else configs
        if override is None or "null" not in values or folder == configs or not folder.is_dir():
            chosen.append(argument)
        elif (folder / f"{NONE}.yaml").is_file():
            kept = [NONE if value == "null" else value for value in values]
            chosen.append(f"{override['key']}={','.join(kept)}")
        elif override["group"] not in _null_by_default(configs / f"{name}.yaml") or values[1:]:
            raise ValueError(
                f"{override['group']} must be one of {', '.join(choices(folder))}, got null"
            )
    return chosen


def _null_by_default(config: Path) -> set[str]:
    entries = OmegaConf.load(config).get("defaults", [])  # type: ignore[arg-type]
    return {
        str(group)
        for entry in entries
        if isinstance(entry, DictConfig)
        for group, choice in entry.items()
        if choice is None
    }
