"""Frozen copies of modules, for inference: nothing is computed again that does not change."""

import copy
from typing import Protocol, TypeVar, runtime_checkable

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


@runtime_checkable
class Freezable(Protocol):
    """A module that computes something from its parameters alone, before it looks at its input."""

    def frozen(self) -> nn.Module:
        """Return a module that does the same, with what was computed as buffers."""


def freeze(module: Module) -> Module:
    """Return a copy for inference, in which every ``Freezable`` part is replaced.

    Inverse matrices are buffers and ActNorms are folded, so values agree with the original up to
    rounding. The copy has no gradients and does not follow changes of the original.
    """
    module = copy.deepcopy(module)
    done: list[str] = []
    for path, part in list(module.named_modules(remove_duplicate=False)):
        inside = any(path.startswith(f"{above}.") for above in done)
        if path and not inside and isinstance(part, Freezable):
            module.set_submodule(path, part.frozen())
            done.append(path)
    return module.eval().requires_grad_(requires_grad=False)
