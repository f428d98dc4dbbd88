"""Checkpoints: tensors and plain Python that rebuild a Glow without Hydra and without Lightning."""

import functools
import hashlib
import importlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glow.model import Glow

SPEC_KEY = "glow"  # where a checkpoint keeps what the model is built from
TRUSTED = ("glow.layers", "glow.model")  # what provides the parts of every model
RAW_KEY = "current_model_state"  # where Lightning puts the weights that it has averaged
PREFIX = "model."  # what GlowModule's state_dict puts before the names of the model's


def save(model: Glow, path: str | Path) -> None:
    """Write a model to a file that ``load`` and ``torch.load(weights_only=True)`` can open."""
    state = {PREFIX + name: value for name, value in model.state_dict().items()}
    torch.save({SPEC_KEY: describe(model), "state_dict": state}, path)


def load(
    path: str | Path,
    *,
    map_location: str | torch.device = "cpu",
    raw: bool = False,
    trusted: Sequence[str] = (),
) -> Glow:
    """Rebuild the model of a file that ``save`` or the training has written, ready to evaluate.

    Nothing but layers is built from what the file says, those of ``glow.layers`` and of the further
    packages that ``trusted`` names, for models that have layers of yours. Where training has
    averaged the weights, it is the averages that are loaded, or with ``raw`` the weights. Raises
    ``FileNotFoundError`` where there is no file and ``ValueError`` where it holds no model, or one
    with parts from elsewhere, or there is no such device.
    """
    checkpoint = _read(path)
    model = build(checkpoint[SPEC_KEY], (*TRUSTED, *trusted))
    if not isinstance(model, Glow):
        raise ValueError(f"{path} describes a {type(model).__name__}, not a Glow")
    state = model_state(checkpoint, raw=raw)
    model.to(next(value.dtype for value in state.values() if value.is_floating_point()))
    model.load_state_dict(state)
    try:
        return model.to(map_location).eval()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"this machine has no device {map_location}: {error}") from error


def holds_averages(path: str | Path) -> bool:
    """Return whether a checkpoint holds averages of the weights beside the weights."""
    return RAW_KEY in _read(path)


def _read(path: str | Path) -> dict[str, Any]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: expected a file such as best.ckpt")
    no_glow = f"{path} holds no Glow: expected a file that glow.save or experiments/train.py wrote"
    try:
        # Mapped: what is not wanted of it, the state of an optimizer say, is never read.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever the unpickler makes of bytes that are no checkpoint
        raise ValueError(no_glow) from error
    if not isinstance(checkpoint, dict) or SPEC_KEY not in checkpoint:
        raise ValueError(no_glow)
    return checkpoint


def model_state(checkpoint: Mapping[str, Any], *, raw: bool = False) -> dict[str, Tensor]:
    """Return the state of the model itself from what a checkpoint holds."""
    key = RAW_KEY if raw and RAW_KEY in checkpoint else "state_dict"
    state: Mapping[str, Tensor] = checkpoint[key]
    return {
        name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)
    }


def fingerprint(model: Glow) -> str:
    """Return 16 hexadecimal digits that tell this model, its weights included, from all others.

    They are the same for any ``memory`` and device; weights count as far as float32 tells them.
    """
    description = describe(model) | {"memory": None}
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, value in model.state_dict().items():
        value = value.float() if value.is_floating_point() else value
        digest.update(name.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def describe(part: Any) -> Any:
    """Return plain Python from which ``build`` makes the same model.

    The form is Hydra's: ``_target_`` names a class or function, ``_partial_`` says that it is
    handed on with its arguments rather than called. Raises ``TypeError`` for what has no such form,
    a lambda, say.
    """
    match part:
        case Glow():
            return _description(type(part), part.config)
        case functools.partial():
            if part.args:
                raise TypeError(f"{part} has arguments without a name: give them as keywords")
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


def build(description: Any, trusted: Sequence[str]) -> Any:
    """Make what ``describe`` described, from layers of the modules in ``trusted`` only."""
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
            f"the model has a part {name}, and only {', '.join(trusted)} may provide parts; "
            f"if you trust {module}, add it to trusted"
        )
    try:
        target: Any = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise ValueError(f"the model has a part {name}, but there is no {module}") from error
    is_layer = inspect.isclass(target) and issubclass(target, nn.Module)
    # What a module has only imported from elsewhere is not its own to provide.
    if not (is_layer or inspect.isfunction(target)) or target.__module__ != module:
        raise ValueError(f"the model has a part {name}, which is no layer or function of {module}")
    return target
