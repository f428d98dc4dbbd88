"""The right spelling of what a command line got wrong."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

KEY = re.compile(r"Could not override '([^']+)'")
ADDED = re.compile(r"\+{1,2}(\w+)=")
CHOSEN = re.compile(r"([\w/]+)=([\w/.-]+)(?:,.*)?")  # in a sweep, the first
CHOICE = re.compile(
    r"Could not find '([^']+)/([^'/]+)' Available options in '[^']+': ([^:]*?) Config"
)


def corrected(message: str, configs: Path, name: str, arguments: Sequence[str] = ()) -> str:
    """Return what was wrong with an override, and the nearest right spelling, if Hydra refused it.

    Args:
        message: Hydra's message.
        configs: The folder of the configs.
        name: The name of the program's config.
        arguments: The command line, whose choices say which keys there are.

    Returns:
        A sentence, or the message if it is about something else.
    """
    text = " ".join(message.split())
    if found := CHOICE.search(text):
        group, choice, options = found[1], found[2], found[3].split()
        return f"there is no {group}={choice}{_nearest(choice, options)}: {', '.join(options)}"
    if found := KEY.search(text):
        config = _composed(configs, name, arguments)
        groups = list(config.hydra.runtime.choices)
        plain: Any = OmegaConf.to_container(config)
        del plain["hydra"]
        key = found[1]
        hint = _nearest(key, [*_names(plain), *groups])
        return f"there is no {key} in this config{hint}; +{key}=... would add it"
    return message


def check_added(arguments: Sequence[str], configs: Path, name: str) -> None:
    """Raise ``ValueError`` if a command line adds a key, ``+key=value``, that nothing would read.

    A key that another argument refers to, as ``${key}``, is read there.

    Args:
        arguments: The command line.
        configs: The folder of the configs.
        name: The name of the program's config.
    """
    added = [found[1] for argument in arguments if (found := ADDED.match(argument))]
    if not added:
        return
    known = [str(key) for key in _composed(configs, name, arguments)]
    for key in added:
        if not (key in known or f"${{{key}" in " ".join(arguments) or (configs / key).is_dir()):
            raise ValueError(
                f"there is no {key} in this config{_nearest(key, known)}, and nothing would read it"
            )


def _composed(configs: Path, name: str, arguments: Sequence[str]) -> DictConfig:
    """Return the config with the choices of a command line, of a sweep the first of each."""
    found = [match for argument in arguments if (match := CHOSEN.fullmatch(argument))]
    choices = [
        f"{group}={option}"
        for group, option in (match.groups() for match in found)
        if (configs / group).is_dir() and not group.startswith("hydra")
    ]
    with initialize_config_dir(str(configs), version_base="1.3"):
        return compose(name, choices, return_hydra_config=True)


def _nearest(word: str, words: list[str]) -> str:
    close = difflib.get_close_matches(word, words, n=1)
    return f", perhaps {close[0]} is meant" if close else ""


def _names(config: dict[str, Any], path: str = "") -> list[str]:
    """Return the dotted names of all keys."""
    names = []
    for key, value in config.items():
        names.append(f"{path}{key}")
        if isinstance(value, dict):
            names += _names(value, f"{path}{key}.")
    return names
