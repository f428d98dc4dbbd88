"""Releasing: the model of a finished run becomes one that comes with Glow."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from glow import checkpoint, pretrained
from glow.analysis.attributes import Directions
from glow.checkpoint import fingerprint
from glow.runs.record import MACHINE_KEYS, run_record
from glow.runs.run_folder import RunFolder

RECORDED = (
    *("command", "n_bits", "test", "parameters", "steps", "seconds", "device", "cpu_threads"),
    *("seed", "versions", "git_revision"),
)


def check(run: Path, name: str, about: str) -> None:
    """Check the arguments of ``release``, before the work that its directions take.

    Args:
        run: The folder of the finished run.
        name: The short name of the model.
        about: What the model was trained on, in a few words.

    Raises:
        ValueError: If the name is not one word of letters, digits and underscores, or nothing is
            said about the model.
        FileNotFoundError: If the run is not finished.
    """
    if not (isinstance(name, str) and name.isascii() and name.isidentifier()):
        raise ValueError(f"name must be a word of letters, digits and underscores, got {name!r}")
    if not about:
        raise ValueError("about must say what the model was trained on, such as about='MNIST'")
    run_record(run)


def release(
    run: Path,
    name: str,
    about: str,
    directions: Directions | None = None,
    attributes: Sequence[str] = (),
) -> list[Path]:
    """Write the files of a released model: the selected checkpoint, and what is known about it.

    If training averaged the weights, the averages are released.

    Args:
        run: The folder of the finished run.
        name: The short name of the model.
        about: What the model was trained on, in a few words.
        directions: The directions of attributes, or None.
        attributes: The attributes that the page shows first.

    Returns:
        The files that were written.

    Raises:
        ValueError: As ``check`` does.
        FileNotFoundError: As ``check`` does.
    """
    check(run, name, about)
    record, folder = run_record(run), RunFolder(run)
    model = checkpoint.load(folder.selected_checkpoint)
    config = folder.read_config()
    description = {
        "about": about,
        **{key: record[key] for key in RECORDED},
        "image_shape": list(model.image_shape),
        "fingerprint": fingerprint(model),
        "images": config.plan.images,
        "attributes": list(attributes),
        "data": _portable(config.data),
    }
    files = pretrained.Released(name)
    checkpoint.save(model, files.checkpoint)
    files.description.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    written = [files.checkpoint, files.description]
    if directions is not None:
        directions.save(files.directions)
        written.append(files.directions)
    return written


def _portable(data: Any) -> Any:
    """Return the config of the data with the default places of its files."""
    places = {"data.root": "data", "data.cache_dir": "data/cache"}
    plain = OmegaConf.to_container(data, resolve=True)
    assert isinstance(plain, dict)
    for key in MACHINE_KEYS:
        name = key.removeprefix("data.")
        if key in places and name in plain:
            plain[name] = places[key]
    return plain
