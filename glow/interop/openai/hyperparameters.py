"""The reference's hyperparameters, from the names and shapes of its variables."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from glow.interop.openai.building import HasShape
from glow.interop.openai.correspondence import INVCONV, REVERSE, SHUFFLE

STEP = re.compile(r"model/(\d{1,9})/(\d{1,9})/")
CLASSIFIER_WEIGHT = 0.01  # the authors'; a file says only whether there is a classifier
FIRST = "model/0/0/actnorm_center/b"


def infer(variables: Mapping[str, HasShape], image_size: int, n_bits: int) -> dict[str, Any]:
    """Return the hyperparameters of a model of the reference.

    Args:
        variables: Anything with a shape, by the reference's names.
        image_size: The height and width of an image, which no variable depends on.
        n_bits: How many bits of a pixel the model sees, likewise.

    Returns:
        The hyperparameters, by the reference's names; see ``build_glow``.

    Raises:
        ValueError: If these are not the variables of such a model.
    """
    steps = [match for match in map(STEP.match, variables) if match]
    channels = _size(variables, FIRST)
    if channels % 4:
        raise ValueError(
            f"{FIRST} has {channels} channels, but a squeezed image has a multiple of 4"
        )
    raw = _size(variables, "model/0/0/f1/l_last/W")
    if raw not in (channels // 2, channels):
        raise ValueError(
            f"model/0/0/f1/l_last/W has {raw} outputs, but a coupling of {channels} channels has "
            f"{channels // 2} if it is additive, and {channels} if it is affine"
        )
    if _any(variables, "/invconv/L") and not _any(variables, "/invconv/W"):
        raise ValueError(
            "its 1x1 convolutions are given by LU factors (such as invconv/L), a variant that the "
            "authors' models do not have; invconv/W is needed"
        )
    permutation = REVERSE
    if _any(variables, "/invconv/"):
        permutation = INVCONV
    elif _any(variables, "/shuffle/"):
        permutation = SHUFFLE
    ycond = _any(variables, "model/prior/y_emb/")
    classified = ycond and _any(variables, "model/classifier/")
    return {
        "n_levels": 1 + max(int(match[1]) for match in steps),
        "depth": 1 + max(int(match[2]) for match in steps),
        "width": _size(variables, "model/0/0/f1/l_1/W"),
        "n_bits_x": n_bits,
        "flow_permutation": permutation,
        "flow_coupling": int(raw == channels),
        "learntop": int(_any(variables, "model/prior/p/")),
        "ycond": int(ycond),
        "weight_y": CLASSIFIER_WEIGHT if classified else 0.0,
        "n_y": _size(variables, "model/prior/y_emb/W", axis=0) if ycond else 0,
        "image_size": image_size,
    }


def describe(config: Mapping[str, Any]) -> str:
    """Return hyperparameters as a person would say them."""
    classes = f"{config['n_y']} classes" if config["ycond"] else "no classes"
    return (
        f"L {config['n_levels']}, K {config['depth']}, width {config['width']}, "
        f"{('additive', 'affine')[config['flow_coupling']]} couplings, "
        f"{('reversed', 'shuffled', '1x1-convolved')[config['flow_permutation']]} channels, "
        f"{'a learned' if config['learntop'] else 'a standard-normal'} top prior, {classes}"
    )


def _any(names: Iterable[str], part: str) -> bool:
    return any(name.startswith("model/") and part in name for name in names)


def _size(variables: Mapping[str, HasShape], name: str, axis: int = -1) -> int:
    """Return a size of a variable that every such model has."""
    if name not in variables:
        raise ValueError(f"the variable {name} is missing")
    shape = variables[name].shape
    if not shape:
        raise ValueError(f"the variable {name} is a single number, but should be a tensor")
    return shape[axis]
