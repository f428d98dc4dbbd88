"""Folding: what layers compute from their parameters alone, done for all layers of a kind at once.

Before a layer looks at its input, it turns its parameters into the few tensors that it multiplies
by and adds: it exponentiates log-scales, multiplies the factors of a matrix, scales kernels. For K
steps of flow these are many small operations, which take longer to start than to run. So a
``FoldedChain`` stacks the parameters of its parts, does each operation once, and hands every part
its share. A layer that is used alone is a stack of one. None of this changes a value, and a layer
that knows nothing of it works in a chain as well. A reader of the model can skip it.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from glow.bijections.precision import full_precision


class Setting(NamedTuple):
    """What layers are folded for.

    Args:
        size: The axes after the channels: height and width of images, none of vectors.
        device: The device.
        lowered: The dtype in which autocast runs networks, or None outside of autocast.
    """

    size: tuple[int, ...]
    device: torch.device
    lowered: torch.dtype | None

    @classmethod
    def of(cls, x: Tensor) -> Self:
        """Return the setting for inputs like x (B,C,...), under the autocast enabled here."""
        kind = x.device.type
        lowered = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        return cls(tuple(x.shape[2:]), x.device, lowered)

    def autocast(self) -> AbstractContextManager[Any]:
        """Run what does not fold as it would run outside of a chain."""
        if self.lowered is None:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.lowered)


class Folded(NamedTuple):
    """What one layer computed from its parameters.

    Args:
        setting: What it was computed for.
        tensors: What the layer computed, through which gradients reach its parameters.
        parts: The same for the parts of the layer, if it is made of others.
    """

    setting: Setting
    tensors: tuple[Tensor, ...] = ()
    parts: tuple[Folded, ...] = ()

    def leaves(self) -> Iterator[Tensor]:
        """Yield all tensors."""
        yield from self.tensors
        for part in self.parts:
            yield from part.leaves()

    def replaced(self, leaves: Iterator[Tensor]) -> Folded:
        """Return the same structure with the next tensors of ``leaves``."""
        tensors = tuple(next(leaves) for _ in self.tensors)
        return Folded(self.setting, tensors, tuple(part.replaced(leaves) for part in self.parts))


class Foldable(nn.Module):
    """A layer whose ``forward`` (and ``inverse``) takes what was folded for it.

    It is the argument ``folded``, which never changes a value: without it, or if it was folded for
    images of another size, the layer folds itself. A subclass with a ``forward`` that has no such
    argument is not folded.
    """

    takes_folded: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        names = ("forward", "inverse", "condition")
        methods = [getattr(cls, name) for name in names if hasattr(cls, name)]
        cls.takes_folded = all("folded" in inspect.signature(m).parameters for m in methods)

    def kind(self) -> Hashable:
        """Return what layers of this class must have in common to be folded together.

        That is the shapes of all parameters and buffers; a subclass adds what else matters.
        """
        return tuple(t.shape for t in (*self.parameters(), *self.buffers()))

    @classmethod
    @abstractmethod
    def fold(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Fold layers of one kind for ``forward``.

        Args:
            layers: K layers.
            setting: What for.

        Returns:
            One result for each layer.
        """

    @classmethod
    def fold_inverse(cls, layers: Sequence[Self], setting: Setting) -> list[Folded]:
        """Fold layers of one kind for ``inverse``; by default as for ``forward``."""
        return cls.fold(layers, setting)

    def folded_for(self, x: Tensor, folded: Folded | None, *, inverse: bool = False) -> Folded:
        """Return ``folded`` if it fits x, and otherwise fold this layer alone."""
        if folded is not None and folded.setting.size == tuple(x.shape[2:]):
            return folded
        setting = Setting.of(x)
        with full_precision(x):
            [alone] = (self.fold_inverse if inverse else self.fold)([self], setting)
        return alone


def fold(layers: Sequence[nn.Module], setting: Setting, *, inverse: bool = False) -> list[Folded]:
    """Fold layers, those of a kind together, in full precision.

    Args:
        layers: Any layers.
        setting: What for.
        inverse: Whether for ``inverse`` instead of ``forward``.

    Returns:
        One result for each layer, without tensors for those that are not ``Foldable``.
    """
    kinds: dict[Hashable, list[int]] = {}
    for number, layer in enumerate(layers):
        if isinstance(layer, Foldable) and layer.takes_folded:
            kinds.setdefault((type(layer), layer.kind()), []).append(number)
    found = [Folded(setting)] * len(layers)
    with full_precision(setting):
        for numbers in kinds.values():
            alike: list[Any] = [layers[number] for number in numbers]
            kind = type(alike[0])
            shares = (kind.fold_inverse if inverse else kind.fold)(alike, setting)
            for number, share in zip(numbers, shares, strict=True):
                found[number] = share
    return found


def call(layer: nn.Module, x: Tensor, context: Tensor | None, folded: Folded | None) -> Any:
    """Call a layer with what was folded for it, or as it is if it does not fold.

    Args:
        layer: A bijection, or the network of a coupling.
        x: The input of the layer.
        context: The context of the layer.
        folded: What ``fold`` returned for the layer, or None.
    """
    if folded is None:
        return layer(x, context)
    if isinstance(layer, Foldable) and layer.takes_folded:
        return layer(x, context, folded)
    with folded.setting.autocast():
        return layer(x, context)


def call_inverse(layer: Any, y: Tensor, context: Tensor | None, folded: Folded) -> Tensor:
    """Call the inverse of a layer, as ``call`` calls the layer."""
    if isinstance(layer, Foldable) and layer.takes_folded:
        return layer.inverse(y, context, folded)  # type: ignore[operator]
    with folded.setting.autocast():
        return layer.inverse(y, context)
