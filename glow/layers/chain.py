"""Composition of bijections, and what it keeps in memory for the backward pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from glow.layers.bijection import Bijection, zero_log_det

Memory = Literal["keep", "checkpoint", "reverse"]


class Chain(Bijection):
    """The composition of bijections: ``forward`` applies them in the order given.

    Keyword arguments name the parts, positional ones are numbered; either way they become
    submodules under that name. ``log_det`` is the sum of theirs.

    ``memory`` says where the backward pass finds the activations, in order of falling memory:

    - ``keep``: in memory, all of them;
    - ``checkpoint``: only what enters each part is kept, and the part is computed again;
    - ``reverse``: only what enters and leaves the chain is kept, and each part is computed again
      from what its inverse makes of the latter. Memory does not grow with the number of parts.

    The gradients are the same but for rounding. That of the inverses adds up, and grows where
    scales come close to 0; ``drift`` tells how far the input that the last backward pass ended at,
    at most, was from the true one. Raises ``ValueError`` for another policy.
    """

    def __init__(self, *bijections: Bijection, memory: Memory = "keep", **named: Bijection) -> None:
        super().__init__()
        if memory not in get_args(Memory):
            raise ValueError(f"memory must be one of {', '.join(get_args(Memory))}, got {memory}")
        self.memory = memory
        self.drift: Tensor | None = None  # with reverse, after a backward pass
        for index, bijection in enumerate(bijections):
            self.add_module(str(index), bijection)
        for name, bijection in named.items():
            self.add_module(name, bijection)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Apply every part, first to last."""
        if self.memory == "reverse" and torch.is_grad_enabled():
            return self._forward_without_record(x)
        log_det = zero_log_det(x)
        for bijection in self.children():
            if self.memory == "checkpoint" and torch.is_grad_enabled():
                # Bijections draw no random numbers.
                x, term = checkpoint(bijection, x, use_reentrant=False, preserve_rng_state=False)
            else:
                x, term = bijection(x)
            log_det = log_det + term
        return x, log_det

    def _forward_without_record(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = zero_log_det(x)
        parts = list(self.parts())
        way_back = _WayBack(self)
        for index, part in enumerate(parts):
            ends = (index == 0, index == len(parts) - 1)
            x, term = _Reversed.apply(part, way_back, ends, x, *part.parameters())
            log_det = log_det + term
        return x, log_det

    def inverse(self, y: Tensor) -> Tensor:
        """Undo every part, last to first."""
        for bijection in reversed(list(self.children())):
            y = bijection.inverse(y)  # type: ignore[operator]
        return y

    def parts(self) -> Iterator[Bijection]:
        """Yield the parts, and in place of chains their parts, first to last."""
        for bijection in self.children():
            if isinstance(bijection, Chain):
                yield from bijection.parts()
            else:
                yield bijection  # type: ignore[misc]


@dataclass
class _WayBack:
    """What the backward passes of the parts of a chain hand on to each other, last to first."""

    chain: Chain
    y: Tensor | None = None  # what left the part that is next


class _Reversed(torch.autograd.Function):
    """A part of a chain whose backward pass is given its output, and finds its input from that."""

    @staticmethod
    def forward(
        ctx: Any,
        part: Bijection,
        way_back: _WayBack,
        ends: tuple[bool, bool],
        x: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        y, log_det = part(x)
        first, last = ends
        ctx.part, ctx.way_back, ctx.parameters = part, way_back, parameters
        ctx.save_for_backward(x if first else None, y if last else None)
        device = x.device.type
        ctx.autocast = {
            "device_type": device,
            "enabled": torch.is_autocast_enabled(device),
            "dtype": torch.get_autocast_dtype(device),
        }
        return y, log_det

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_log_det: Tensor) -> tuple[Tensor | None, ...]:
        first_x, last_y = ctx.saved_tensors
        y = ctx.way_back.y if last_y is None else last_y
        with torch.enable_grad(), torch.autocast(**ctx.autocast):
            leaves, *outputs = ctx.part.rebuild(y)
        learned = [parameter for parameter in ctx.parameters if parameter.requires_grad]
        pairs = zip(outputs, (grad_y, grad_log_det), strict=True)
        outputs, incoming = zip(*(p for p in pairs if p[0].requires_grad), strict=True)
        found = torch.autograd.grad(outputs, [*leaves, *learned], incoming, allow_unused=True)
        x = torch.cat([leaf.detach() for leaf in leaves], dim=1)
        ctx.way_back.y = x
        if first_x is not None:
            ctx.way_back.chain.drift = (x - first_x).abs().max()
            ctx.way_back.y = None
        of_parameters = iter(found[len(leaves) :])
        return (
            *(None, None, None),
            torch.cat(found[: len(leaves)], dim=1),
            *(next(of_parameters) if p.requires_grad else None for p in ctx.parameters),
        )
