"""Trained models that are part of the package."""

from glow.pretrained.released import (
    Released,
    advice,
    directions_at,
    find,
    names,
    resolve,
)

__all__ = ["Released", "advice", "directions_at", "find", "names", "resolve"]
