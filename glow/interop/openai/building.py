"""Models from the variables of the reference implementation (openai/glow)."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glow.bijections import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    PlainLinear,
    ReversePermutation,
    ShufflePermutation,
)
from glow.interop.openai.correspondence import Order, correspondences
from glow.models import ClassConditionalPrior, Glow, LearnedPrior, StandardPrior
from glow.nets import CouplingNet

# The reference's --flow_permutation and --flow_coupling are indices into these.
PERMUTATIONS = (ReversePermutation, ShufflePermutation, PlainLinear)
COUPLINGS = (AdditiveCoupling, AffineCoupling)

Variables = Mapping[str, NDArray[Any]]


def build_glow(variables: Variables, config: Mapping[str, Any]) -> Glow:
    """Build the model that the reference would run with these variables.

    Args:
        variables: From the reference's names (``model/0/0/actnorm_center/b``, ...) to arrays in its
            layouts: convolution kernels (H,W,in,out), matrices (in,out).
        config: The reference's hyperparameters by their names: ``n_levels``, ``depth``, ``width``,
            ``n_bits_x``, ``flow_permutation``, ``flow_coupling``, ``learntop``, ``ycond``,
            ``weight_y``, ``n_y`` and ``image_size``.

    Returns:
        The model, in evaluation mode.

    Raises:
        KeyError: If a variable or a hyperparameter is missing.
        ValueError: If one does not fit.
    """
    check(variables, config)
    model = _untrained(_n_channels(variables), config)
    state = model.state_dict()
    seen: dict[str, Tensor] = {}
    for entry in correspondences(config):
        if entry.optional and entry.theirs not in variables:
            continue
        variable = torch.from_numpy(np.array(variables[entry.theirs]))
        for name, tensor in zip(entry.ours, entry.layout.ours(variable), strict=True):
            if isinstance(entry.layout, Order):
                _check_order(entry.theirs, variable, tensor, seen.setdefault(name, tensor))
            state[name] = tensor.reshape(state[name].shape)
    model.load_state_dict(state)
    for module in model.modules():
        if isinstance(module, ActNorm):
            module.initialized.fill_(True)
    return model.eval()


class HasShape(Protocol):
    """An array, or a tensor in a file that is not read yet."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""


def check(variables: Mapping[str, HasShape], config: Mapping[str, Any]) -> None:
    """Check names and shapes, before anything of their size is made.

    Args:
        variables: As in ``build_glow``; only their shapes matter.
        config: As in ``build_glow``.

    Raises:
        KeyError: If a variable is missing.
        ValueError: If one does not fit.
    """
    for entry in correspondences(config):
        if entry.theirs not in variables and not entry.optional:
            raise KeyError(entry.theirs)
    with torch.device("meta"):
        state = _untrained(_n_channels(variables), config).state_dict()
    for entry in correspondences(config):
        if entry.theirs not in variables:
            continue
        shape = tuple(variables[entry.theirs].shape)
        expected = tuple(entry.layout.theirs([state[name] for name in entry.ours]).shape)
        if _without_ones(shape) != _without_ones(expected):
            raise ValueError(
                f"the variable {entry.theirs} has the shape {shape}, which does not fit {expected} "
                "of this config"
            )


def _n_channels(variables: Mapping[str, HasShape]) -> int:
    """Return the number of channels of an image, which are four times as many when squeezed."""
    return math.prod(variables["model/0/0/actnorm_center/b"].shape) // 4


def _untrained(channels: int, config: Mapping[str, Any]) -> Glow:
    base = LearnedPrior if config["learntop"] else StandardPrior
    top: Any = base
    if config["ycond"]:
        top = partial(
            ClassConditionalPrior,
            n_classes=config["n_y"],
            base=base,
            classification_weight=config["weight_y"],
        )
    return Glow(
        image_shape=(channels, config["image_size"], config["image_size"]),
        n_bits=config["n_bits_x"],
        n_levels=config["n_levels"],
        n_steps=config["depth"],
        permutation=_choice(PERMUTATIONS, config, "flow_permutation"),
        coupling=partial(
            _choice(COUPLINGS, config, "flow_coupling"),
            net=partial(CouplingNet, width=config["width"]),
        ),
        top=top,
    )


def _choice(choices: Sequence[Any], config: Mapping[str, Any], key: str) -> Any:
    if config[key] not in range(len(choices)):
        raise ValueError(f"{key} must be from 0 to {len(choices) - 1}, got {config[key]}")
    return choices[config[key]]


def _without_ones(shape: Sequence[int]) -> list[int]:
    return [size for size in shape if size != 1]


def _check_order(name: str, variable: Tensor, tensor: Tensor, first: Tensor) -> None:
    """Check that a permutation is one, and agrees with the other variable that holds it."""
    if sorted(variable.flatten().tolist()) != list(range(variable.numel())):
        raise ValueError(f"the variable {name} should be a permutation of 0 to C - 1")
    if not torch.equal(tensor, first):
        raise ValueError(f"the variable {name} is not the inverse of the permutation beside it")
