"""Objects from configs, whose values are checked against the constructors' own annotations."""

import difflib
import functools
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import Container, OmegaConf
from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

Result = TypeVar("Result")

CONFIG = ConfigDict(arbitrary_types_allowed=True, coerce_numbers_to_str=True)


def build(config: Any, key: str, **kwargs: Any) -> Any:
    """Instantiate a config and everything in it.

    All values are checked before anything is built, so that a wrong one cannot fail late.

    Args:
        config: A config with ``_target_``, or one whose values have one.
        key: The key of the config, such as ``model``, for messages.
        kwargs: Further arguments of the outermost constructor.

    Returns:
        The object, or a dict of objects.

    Raises:
        ValueError: If a value has the wrong type, or the name of an argument is wrong or missing.
        Exception: Whatever else a constructor raises.
    """
    if isinstance(config, Container):
        config = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    if not isinstance(config, dict):
        raise ValueError(f"{key} must be one of the choices that --help lists, got {config!r}")
    values = _check_node(config, key, given=kwargs)
    try:
        return instantiate(values, **kwargs, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, TypeError):  # about a value that has no annotation
            raise ValueError(f"{key} cannot be built: {error.__cause__}") from error
        raise error.__cause__ or error from None


def checked(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return a function that checks its arguments, such as values of a config, by its annotations.

    It raises ``ValueError`` if an argument has the wrong type.
    """
    signature = _signature(function)
    assert signature is not None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Result:
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                bound.arguments[name] = _check(value, parameter, name)
        return function(*bound.args, **bound.kwargs)

    return call


def _check_node(node: Any, key: str, given: Mapping[str, Any] | None = None) -> Any:
    """Return a config with the values of its arguments converted; raise if one is wrong."""
    if isinstance(node, list):
        return [_check_node(value, f"{key}[{i}]") for i, value in enumerate(node)]
    if not isinstance(node, dict):
        return node
    signature = _signature(_locate(node["_target_"], key)) if "_target_" in node else None
    if signature is None:
        return {name: _check_node(value, f"{key}.{name}") for name, value in node.items()}
    parameters = signature.parameters
    open_ended = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    checked_node = {}
    for name, value in node.items():
        where = f"{key}.{name}"
        if name.startswith("_"):
            checked_node[name] = value
        elif name not in parameters and not open_ended:
            close = difflib.get_close_matches(name, parameters)
            raise ValueError(
                f"there is no {where}: {node['_target_']} takes {', '.join(close or parameters)}"
            )
        elif name not in parameters or _has_target(value):
            checked_node[name] = _check_node(value, where)
        else:
            checked_node[name] = _check(value, parameters[name], where)
    required = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    missing = [name for name in required if name not in {*node, *(given or {})}]
    if missing and not node.get("_partial_"):
        raise ValueError(f"{key}.{missing[0]} is missing: {node['_target_']} needs it")
    return checked_node


def _check(value: Any, parameter: inspect.Parameter, where: str) -> Any:
    """Return a value as the type of its parameter; raise ``ValueError`` if it cannot be."""
    if parameter.annotation is parameter.empty or isinstance(parameter.annotation, str):
        return value
    try:
        return TypeAdapter(parameter.annotation, config=CONFIG).validate_python(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        places = {"".join(f"[{i}]" for i in e["loc"] if isinstance(i, int)): e for e in found}
        place, first = next(iter(places.items()))
        reasons = dict.fromkeys(map(_reason, found))
        raise ValueError(
            f"{where}{place} should be {' or '.join(reasons)}, got {first['input']!r}"
        ) from None
    except PydanticUserError:  # a type that pydantic does not know
        return value


def _reason(error: Mapping[str, Any]) -> str:
    """Return what would be right instead, as pydantic says it."""
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"])
    return str(error["msg"]).partition(",")[0].removeprefix("Input should be ")


def _signature(target: Any) -> inspect.Signature | None:
    """Return the signature with its annotations evaluated as far as that is possible."""
    for evaluate in (True, False):
        try:
            return inspect.signature(target, eval_str=evaluate)
        except (NameError, TypeError, ValueError):
            continue
    return None


def _locate(target: str, key: str) -> Any:
    try:
        return pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{key}._target_={target} cannot be imported: {error}") from None


def _has_target(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(map(_has_target, value.values()))
    return isinstance(value, list) and any(map(_has_target, value))
