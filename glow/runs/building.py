"""Objects from configs, with every value checked against the types of the constructors."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from hydra.errors import InstantiationException
from hydra_zen import instantiate
from hydra_zen.third_party.pydantic import pydantic_parser
from omegaconf import DictConfig
from pydantic import ValidationError

Result = TypeVar("Result")


def build(config: DictConfig, **kwargs: Any) -> Any:
    """Instantiate a config and everything in it.

    Args:
        config: A config with ``_target_``, or one whose values have one.
        kwargs: Further arguments of the outermost constructor.

    Returns:
        The object, or a dict of objects.

    Raises:
        ValueError: If a value has the wrong type for the constructor that takes it.
        Exception: Whatever a constructor raises.
    """
    try:
        return instantiate(config, _target_wrapper_=pydantic_parser, **kwargs)
    except InstantiationException as error:
        where = re.search(r"full_key: (\S+)", str(error))
        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, InstantiationException):
            raise ValueError(str(cause)) from error
        with wrong_types_named(where[1] if where else ""):
            raise cause from error


@contextmanager
def wrong_types_named(where: str = "") -> Iterator[None]:
    """Turn the report of a wrong type into a ``ValueError`` of one sentence.

    Partials from a config check their arguments when they are called: call them in this context.

    Args:
        where: The key of the config, such as ``optimizer``, or nothing.
    """
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        argument, *indices = first["loc"]
        places = "".join(f"[{index}]" for index in indices if isinstance(index, int))
        reason = first["msg"].removeprefix("Input ")
        raise ValueError(
            f"{where}{': ' if where else ''}{argument}{places} of {error.title} {reason}, "
            f"got {first['input']!r}"
        ) from error


def checked(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return a function that checks its arguments, such as values of a config, by its annotations.

    It raises ``ValueError`` if an argument has the wrong type. The function must take all arguments
    by name.
    """
    parsed = pydantic_parser(function)
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Result:
        named = signature.bind(*args, **kwargs).arguments  # pydantic counts arguments without names
        with wrong_types_named():
            return parsed(**named)

    return call
