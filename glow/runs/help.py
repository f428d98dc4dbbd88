"""The answer to ``--help``.

Hydra's own answer lists the groups of all programs, and takes seconds to find them.
"""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf, open_dict

from glow.runs.choices import choices


def help_text(configs: Path, name: str, overrides: Sequence[str]) -> str:
    """Return what a program does, the choices for each group, and the config.

    Args:
        configs: The folder of the configs.
        name: The name of the program's config.
        overrides: Overrides of the command line, which the config then shows.
    """
    with initialize_config_dir(str(configs), version_base="1.3"):
        config = compose(name, list(overrides), return_hydra_config=True)
    header, footer = config.hydra.help.header, config.hydra.help.footer
    groups = sorted(g for g in config.hydra.runtime.choices if not g.startswith("hydra/"))
    lines = [
        f"{group}: {', '.join(options)}"
        for group in groups
        if (options := choices(configs / group))
    ]
    shown_choices = "\n".join(["== Choices (group=option) ==", *lines]) if lines else ""
    shown = "\n".join(["== Config (key=value) ==", OmegaConf.to_yaml(_without_hydra(config))])
    return "\n".join([header, *([shown_choices, ""] if lines else []), shown, footer])


def _without_hydra(config: DictConfig) -> DictConfig:
    with open_dict(config):
        del config["hydra"]
    return config
