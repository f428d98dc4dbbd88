"""Models from the variables of the reference implementation (openai/glow)."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

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
    model = _untrained(variables, config)
    state = model.state_dict()
    for name, value in _translate(variables, config):
        if _without_ones(value) != _without_ones(state[name]):
            raise ValueError(
                f"the variable for {name} has the shape {tuple(value.shape)}, which does not fit "
                f"{tuple(state[name].shape)} of this config"
            )
        state[name] = value.reshape(state[name].shape)
    model.load_state_dict(state)
    for module in model.modules():
        if isinstance(module, ActNorm):
            module.initialized.fill_(True)
    return model.eval()


def _untrained(variables: Variables, config: Mapping[str, Any]) -> Glow:
    channels = variables["model/0/0/actnorm_center/b"].size // 4  # before the squeeze
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


def _without_ones(tensor: Tensor) -> list[int]:
    return [size for size in tensor.shape if size > 1]


def _translate(variables: Variables, config: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Yield every entry of the model's ``state_dict`` that the variables determine."""
    for level in range(config["n_levels"]):
        for step in range(config["depth"]):
            theirs = f"model/{level}/{step}"
            ours = f"flow.levels.{level}.steps.{step}"
            yield from _actnorm(variables, f"{theirs}/actnorm", f"{ours}.mix.actnorm")
            if config["flow_permutation"] == 1:
                indices = _tensor(variables[f"{theirs}/shuffle/indices"]).long()
                yield f"{ours}.mix.permutation.indices", indices
            if config["flow_permutation"] == 2:
                weight = _tensor(variables[f"{theirs}/invconv/W"])
                yield f"{ours}.mix.linear.weight", weight.T
            net = f"{ours}.coupling.net"
            yield from _kernel(variables, f"{theirs}/f1/l_1", f"{net}.conv_in", edge=True)
            yield from _actnorm(variables, f"{theirs}/f1/l_1/actnorm", f"{net}.actnorm_in")
            yield from _kernel(variables, f"{theirs}/f1/l_2", f"{net}.conv_mid", edge=False)
            yield from _actnorm(variables, f"{theirs}/f1/l_2/actnorm", f"{net}.actnorm_mid")
            yield from _zero_conv(variables, f"{theirs}/f1/l_last", f"{net}.conv_out")
    for level in range(config["n_levels"] - 1):
        yield from _zero_conv(variables, f"model/pool{level}/conv", f"flow.splits.{level}.net")

    base = "flow.top.base" if config["ycond"] else "flow.top"
    if config["learntop"]:
        # It convolves a map of zeros, so of its kernel only the edge indicator's channel matters.
        edge_weight = dict(_kernel(variables, "model/prior/p", base, edge=True))
        yield f"{base}.edge_weight", edge_weight[f"{base}.edge_weight"]
        yield f"{base}.bias", _tensor(variables["model/prior/p/b"])
        yield f"{base}.log_scale", _tensor(variables["model/prior/p/logs"])
    if config["ycond"]:
        yield from _zero_linear(variables, "model/prior/y_emb", "flow.top.shift.linear")
    if config["ycond"] and config["weight_y"] > 0:
        yield from _zero_linear(variables, "model/classifier", "flow.top.classifier")


def _actnorm(variables: Variables, theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{ours}.bias", _tensor(variables[f"{theirs}_center/b"])
    yield f"{ours}.log_scale", _tensor(variables[f"{theirs}_scale/logs"])


def _kernel(
    variables: Variables, theirs: str, ours: str, *, edge: bool
) -> Iterator[tuple[str, Tensor]]:
    weight = _tensor(variables[f"{theirs}/W"]).permute(3, 2, 0, 1)  # HWIO to OIHW
    if edge:  # its last input channel is the edge indicator
        yield f"{ours}.edge_weight", weight[:, -1:]
        weight = weight[:, :-1]
    yield f"{ours}.weight", weight


def _zero_conv(variables: Variables, theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    yield from _kernel(variables, theirs, f"{ours}.conv", edge=True)
    yield f"{ours}.conv.bias", _tensor(variables[f"{theirs}/b"])
    yield f"{ours}.log_scale", _tensor(variables[f"{theirs}/logs"])


def _zero_linear(variables: Variables, theirs: str, ours: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{ours}.weight", _tensor(variables[f"{theirs}/W"]).T
    yield f"{ours}.bias", _tensor(variables[f"{theirs}/b"])
    yield f"{ours}.log_scale", _tensor(variables[f"{theirs}/logs"])


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
