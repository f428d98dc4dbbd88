"""Glow: generative flow with invertible 1x1 convolutions (arXiv:1807.03039), and its family."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glow.checkpoint import load, save
    from glow.latents import Latents
    from glow.models import Glow, ImageFlow

__all__ = ["Glow", "ImageFlow", "Latents", "load", "save"]

# torch is imported with the first name that needs it, so that programs can answer --help at once.
_HOMES = {
    "Glow": "glow.models",
    "ImageFlow": "glow.models",
    "Latents": "glow.latents",
    "load": "glow.checkpoint",
    "save": "glow.checkpoint",
}


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
