"""Checkpoints: tensors and plain Python that rebuild a model without Hydra and Lightning."""

import functools
import hashlib
import importlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from glow.bijections import Transform
from glow.models import Density, ImageFlow
from glow.pretrained import advice, resolve
from glow.system.sealed_file import BrokenFileError, check_seal, previous_of, save_sealed

DESCRIPTION_KEY = "image_flow"  # where a checkpoint keeps how its model is built
EARLIER_KEY = "glow"  # the key of checkpoints of an earlier layout
TRUSTED = ("glow.bijections", "glow.nets", "glow.dequantizers", "glow.models")
RAW_KEY = "current_model_state"  # where Lightning keeps the weights whose averages it stores
PREFIX = "model."  # what the state_dict of an ImageFlowModule puts before the names of the model's

Model = TypeVar("Model", ImageFlow, Density)


def save(model: ImageFlow | Density, path: str | Path) -> None:
    """Write a model to a file that ``load`` and ``torch.load(weights_only=True)`` can open.

    The file of a density over vectors is opened by ``load_density``.

    Args:
        model: The model.
        path: The file to write.

    Raises:
        ValueError: If the model is frozen, or was not built by a class of models.
        TypeError: If a part of the model cannot be described; see ``describe``.
    """
    state = {PREFIX + name: value for name, value in model.state_dict().items()}
    save_sealed({DESCRIPTION_KEY: describe(model), "state_dict": state}, path)


def load(
    path: str | Path,
    *,
    map_location: str | torch.device = "cpu",
    raw: bool = False,
    trusted: Sequence[str] = (),
) -> ImageFlow:
    """Rebuild the model of a file that ``save`` or the training wrote, in evaluation mode.

    ``load("celeba32")`` loads a model that comes with Glow; see ``glow.pretrained``. The file can
    only build parts that this package provides, and those of the packages in ``trusted``. If
    training averaged the weights, the averages are loaded.

    Args:
        path: The file, or the name of a model that comes with Glow; a file of that name comes
            first.
        map_location: The device for the model.
        raw: Whether to load the weights themselves instead of their averages.
        trusted: Further packages that may provide parts, for models with layers of your own.

    Returns:
        The model.

    Raises:
        FileNotFoundError: If there is no such file.
        BrokenFileError: If the file is not as it was written.
        ValueError: If the file holds no model, or one of an earlier layout, or with parts from
            elsewhere; or if there is no such device.
    """
    return _load(path, ImageFlow, map_location, trusted, raw=raw)


def load_density(path: str | Path, *, trusted: Sequence[str] = ()) -> Density:
    """Rebuild a density over vectors on the CPU, in evaluation mode; see ``load``.

    Args:
        path: The file.
        trusted: Further packages that may provide parts.

    Returns:
        The density.
    """
    return _load(path, Density, "cpu", trusted)


def _load(
    path: str | Path,
    kind: type[Model],
    device: str | torch.device,
    trusted: Sequence[str],
    *,
    raw: bool = False,
) -> Model:
    checkpoint = _read(path)
    model = build(checkpoint[DESCRIPTION_KEY], (*TRUSTED, *trusted))
    if not isinstance(model, kind):
        article = "an" if kind is ImageFlow else "a"
        raise ValueError(
            f"{path} describes a {type(model).__name__}, which is not {article} {kind.__name__}"
        )
    state = model_state(checkpoint, raw=raw)
    model.to(next(value.dtype for value in state.values() if value.is_floating_point()))
    model.load_state_dict(state)
    try:
        return model.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"this machine has no device {device}: {error}") from error


def holds_averages(path: str | Path) -> bool:
    """Return whether a checkpoint holds averages of the weights in addition to the weights."""
    return RAW_KEY in _read(path)


def steps_done(path: str | Path) -> int:
    """Return after how many training steps a checkpoint of a run was saved.

    Raises:
        ValueError: If the file is broken, or no run can be resumed from it.
    """
    steps = _read(path).get("global_step")
    if steps is None:
        raise ValueError(f"{path} holds a model, but nothing from which a run could be resumed")
    return int(steps)


def _read(path: str | Path) -> dict[str, Any]:
    path = resolve(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no checkpoint at {path}: expected a file such as best.ckpt{advice(path)}"
        )
    no_model = (
        f"{path} holds no model: expected a file that glow.save or experiments/train.py wrote"
    )
    try:
        check_seal(path)
        # Mapped, so that parts which are not needed, such as the optimizer's state, are never read.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except BrokenFileError as error:
        if previous_of(path).is_file():
            raise BrokenFileError(
                f"{error}; {previous_of(path)} is the file that it replaced"
            ) from None
        raise
    except Exception as error:  # whatever the unpickler raises for a file of another kind
        raise ValueError(no_model) from error
    if isinstance(checkpoint, dict) and EARLIER_KEY in checkpoint:
        raise ValueError(
            f"{path} was written by an earlier version of this project, whose layers had other "
            "names, and cannot be loaded by this one: train the model again, or use that version"
        )
    if not isinstance(checkpoint, dict) or DESCRIPTION_KEY not in checkpoint:
        raise ValueError(no_model)
    return checkpoint


def model_state(checkpoint: Mapping[str, Any], *, raw: bool = False) -> dict[str, Tensor]:
    """Return the ``state_dict`` of the model from the content of a checkpoint.

    Args:
        checkpoint: What ``torch.load`` returned.
        raw: Whether to take the weights instead of their averages, if there are any.
    """
    key = RAW_KEY if raw and RAW_KEY in checkpoint else "state_dict"
    state: Mapping[str, Tensor] = checkpoint[key]
    return {
        name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)
    }


def fingerprint(model: ImageFlow) -> str:
    """Return 16 hexadecimal digits that identify a model, including its weights.

    They do not depend on the device or on ``memory``. Weights are compared in float32.
    """
    description = {key: value for key, value in describe(model).items() if key != "memory"}
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, value in model.state_dict().items():
        value = value.float() if value.is_floating_point() else value
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def describe(part: Any) -> Any:
    """Return plain Python from which ``build`` makes the same model.

    The form is Hydra's: ``_target_`` names a class or a function, and ``_partial_`` says that it is
    passed on with its arguments instead of called.

    Raises:
        ValueError: If a model is frozen, or was not built by a class of models.
        TypeError: If a part cannot be described, such as a lambda.
    """
    match part:
        case ImageFlow() | Density():
            if part.config is None:
                raise ValueError(
                    f"this {type(part).__name__} cannot be saved: it is frozen, or was built from "
                    "parts by hand. Save the model that it was made from, or build it by a class "
                    "such as glow.Glow"
                )
            return _description(type(part), part.config)
        case Transform():
            arguments = inspect.signature(type(part)).parameters
            return _description(type(part), {name: getattr(part, name) for name in arguments})
        case functools.partial():
            if part.args:
                raise TypeError(f"{part} has positional arguments: pass them as keywords")
            return _description(part.func, part.keywords, _partial_=True)
        case Mapping():
            return {key: describe(value) for key, value in part.items()}
        case str() | bool() | int() | float() | None:
            return part
        case Sequence():
            return [describe(item) for item in part]
        case _ if inspect.isclass(part) or inspect.isfunction(part):
            return _description(part, {}, _partial_=True)
    raise TypeError(
        f"{part!r} cannot be saved with a model: its parts must be classes or functions of a "
        "module, functools.partial of them, numbers or strings"
    )


def _description(target: Any, arguments: Mapping[str, Any], **flags: bool) -> dict[str, Any]:
    name = f"{target.__module__}.{target.__qualname__}"
    if "." in target.__qualname__ or "<" in target.__qualname__:
        raise TypeError(f"{name} cannot be saved with a model: define it at the top of a module")
    return {"_target_": name, **flags, **{k: describe(v) for k, v in arguments.items()}}


def build(description: Any, trusted: Sequence[str] = TRUSTED) -> Any:
    """Make what ``describe`` described, from parts of the packages in ``trusted`` only.

    Args:
        description: What ``describe`` returned.
        trusted: The packages that may provide parts.

    Returns:
        The part.

    Raises:
        ValueError: If a part comes from elsewhere, or does not exist.
    """
    if isinstance(description, list):
        return [build(item, trusted) for item in description]
    if not isinstance(description, dict):
        return description
    arguments = {k: build(v, trusted) for k, v in description.items() if not k.startswith("_")}
    if "_target_" not in description:
        return arguments
    target = _resolve(description["_target_"], trusted)
    if description.get("_partial_"):
        return functools.partial(target, **arguments)
    return target(**arguments)


def _resolve(name: str, trusted: Sequence[str]) -> Callable[..., Any]:
    module, _, attribute = name.rpartition(".")
    if not any(f"{module}.".startswith(f"{t}.") for t in trusted):
        raise ValueError(
            f"the model has a part {name}, but only {', '.join(trusted)} may provide parts; "
            f"if you trust {module}, add it to trusted"
        )
    try:
        target: Any = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise ValueError(f"the model has a part {name}, but there is no {module}") from error
    is_layer = inspect.isclass(target) and issubclass(target, nn.Module | Transform)
    # A module provides what it defines, not what it imports.
    if not (is_layer or inspect.isfunction(target)) or target.__module__ != module:
        raise ValueError(f"the model has a part {name}, which is no layer or function of {module}")
    return target
