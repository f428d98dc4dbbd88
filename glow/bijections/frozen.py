"""Frozen copies of modules, for inference."""

import copy
from typing import Any

from torch import nn


class Freezable(nn.Module):
    """A module that computes something from its parameters alone, before it looks at its input."""

    def frozen(self) -> nn.Module:
        """Return a module that computes the same, with those results as buffers."""
        raise NotImplementedError


def freeze(module: nn.Module) -> Any:
    """Return a copy for inference, in which every ``Freezable`` part is replaced.

    Inverse matrices are buffers and scales are folded into weights, so values agree with the
    original up to rounding. The copy has no gradients and does not follow changes of the original.
    """
    copied = _frozen(copy.deepcopy(module))
    return copied.eval().requires_grad_(requires_grad=False)


def _frozen(module: nn.Module) -> nn.Module:
    if isinstance(module, Freezable):
        return module.frozen()
    # A module that is used twice has two names here, while named_children lists it once.
    parts = dict(module.named_modules(remove_duplicate=False))
    for name, part in parts.items():
        if name and "." not in name:
            module.set_submodule(name, _frozen(part))
    return module
