"""The right spelling of what a command line got wrong."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

KEY = re.compile(r"Could not override '([^']+)'")
ADDED = re.compile(r"\+{1,2}(\w+)=")
CHOICE = re.compile(
    r"Could not find '([^']+)/([^'/]+)' Available options in '[^']+': ([^:]*?) Config"
)


def corrected(message: str, configs: Path, name: str) -> str:
    """Return what was wrong with an override, and the nearest right spelling, if Hydra refused it.

    Args:
        message: Hydra's message.
        configs: The folder of the configs.
        name: The name of the program's config.

    Returns:
        A sentence, or the message if it is about something else.
    """
    text = " ".join(message.split())
    if found := CHOICE.search(text):
        group, choice, options = found[1], found[2], found[3].split()
        return f"there is no {group}={choice}{_nearest(choice, options)}: {', '.join(options)}"
    if found := KEY.search(text):
        with initialize_config_dir(str(configs), version_base="1.3"):
            config = compose(name, return_hydra_config=True)
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
    with initialize_config_dir(str(configs), version_base="1.3"):
        known = [str(key) for key in compose(name)]
    for key in added:
        if not (key in known or f"${{{key}" in " ".join(arguments) or (configs / key).is_dir()):
            raise ValueError(
                f"there is no {key} in this config{_nearest(key, known)}, and nothing would read it"
            )


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
