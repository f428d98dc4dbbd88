"""What training keeps of the activations for the backward pass: time traded for memory.

None of this changes a value or, except for rounding, a gradient. A reader of the model can skip it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from glow.bijections.bijection import Bijection, zero_log_det
from glow.bijections.chain import Chain
from glow.bijections.coupling import Coupling

Memory = Literal["keep", "recompute", "reverse"]


def build_chain(bijections: Sequence[Bijection], memory: Memory = "keep") -> Chain:
    """Build a chain whose backward pass finds the activations as ``memory`` says.

    In order of falling memory:

    - ``keep``: all activations stay in memory.
    - ``recompute``: only the input of each part stays; the backward pass runs the part again.
    - ``reverse``: only the input and the output of the chain stay; the backward pass inverts one
      part after the other from the output. Memory does not grow with the number of parts.

    Args:
        bijections: The parts, first to last.
        memory: The policy.

    Returns:
        A ``Chain``, a ``RecomputingChain`` or a ``ReversibleChain``; their ``state_dict`` is the
        same.

    Raises:
        ValueError: If there is no such policy.
    """
    kinds = {"keep": Chain, "recompute": RecomputingChain, "reverse": ReversibleChain}
    if memory not in kinds:
        raise ValueError(f"memory must be one of {', '.join(get_args(Memory))}, got {memory}")
    return kinds[memory](*bijections)


class RecomputingChain(Chain):
    """A chain that keeps the input of each part and runs the part again in the backward pass."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply every part, first to last."""
        if not torch.is_grad_enabled():
            return super().forward(x, context)
        log_det = zero_log_det(x)
        for bijection in self:
            x, term = checkpoint(
                bijection,
                x,
                context,
                use_reentrant=False,
                preserve_rng_state=False,  # bijections draw no random numbers
            )
            log_det = log_det + term
        return x, log_det


class ReversibleChain(Chain):
    """A chain that keeps its input and output, and recovers the rest by inverting its parts.

    The rounding errors of the inverses add up, and grow where scales are close to 0. ``drift`` is
    the largest difference between the true input and the one at which the last backward pass
    arrived, or None before the first.
    """

    drift: Tensor | None = None

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Apply every part, first to last."""
        if not torch.is_grad_enabled():
            return super().forward(x, context)
        y, log_det = _Reversed.apply(self, x, context, *self.parameters())
        return y, log_det

    def parts(self) -> Iterator[Bijection]:
        """Yield the parts, with those of inner chains in place of the chains, first to last."""
        return _flattened(self)


def drift(module: nn.Module) -> Tensor | None:
    """Return the largest ``drift`` of the reversible chains in ``module``, or None without any."""
    chains = (part for part in module.modules() if isinstance(part, ReversibleChain))
    found = [part.drift for part in chains if part.drift is not None]
    return torch.stack(found).max() if found else None


def _flattened(chain: Chain) -> Iterator[Bijection]:
    for part in chain:
        if isinstance(part, Chain):
            yield from _flattened(part)
        else:
            assert isinstance(part, Bijection)
            yield part


class _Reversed(torch.autograd.Function):
    """A chain as a single operation, whose backward pass inverts the parts one by one."""

    @staticmethod
    def forward(
        ctx: Any, chain: ReversibleChain, x: Tensor, context: Tensor | None, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        y, log_det = x, zero_log_det(x)
        for part in chain.parts():
            y, term = part(y, context)
            log_det = log_det + term
        ctx.chain, ctx.parameters = chain, parameters
        ctx.save_for_backward(x, y, context)
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
        x, y, context = ctx.saved_tensors
        if context is not None and context.is_floating_point():
            context = context.detach().requires_grad_(ctx.needs_input_grad[2])
        # The gradients of a parameter that is used twice add up.
        gradients: dict[Tensor, Tensor] = {}
        for part in reversed(list(ctx.chain.parts())):
            learned = [p for p in part.parameters() if p.requires_grad]
            if context is not None and context.requires_grad:
                learned.append(context)
            with torch.enable_grad(), torch.autocast(**ctx.autocast):
                leaves, outputs = _rebuild(part, y, context)
            pairs = zip(outputs, (grad_y, grad_log_det), strict=True)
            recorded, incoming = zip(*(p for p in pairs if p[0].requires_grad), strict=True)
            found = torch.autograd.grad(recorded, [*leaves, *learned], incoming, allow_unused=True)
            y = torch.cat([leaf.detach() for leaf in leaves], dim=1)
            grad_y = torch.cat(found[: len(leaves)], dim=1)
            for leaf, gradient in zip(learned, found[len(leaves) :], strict=True):
                if gradient is not None:
                    gradients[leaf] = gradients[leaf] + gradient if leaf in gradients else gradient
        ctx.chain.drift = (y - x).abs().max()
        of_context = None if context is None else gradients.get(context)
        return (None, grad_y, of_context, *(gradients.get(p) for p in ctx.parameters))


def _rebuild(
    part: Bijection, y: Tensor, context: Tensor | None
) -> tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]:
    """Recover the input of a part from its output, and record the part for autograd.

    Returns the input, as leaves whose channels follow one another, and y and ``log_det`` computed
    from them. A coupling runs its network once for both directions, unless its class has its own
    ``forward`` or ``inverse``.
    """
    directions = type(part).forward, type(part).inverse
    if not isinstance(part, Coupling) or directions != (Coupling.forward, Coupling.inverse):
        with torch.no_grad():
            x = part.inverse(y, context)
        leaf = x.requires_grad_()
        return (leaf,), part(leaf, context)
    y_a, y_b = y.chunk(2, dim=1)
    x_a = y_a.detach().requires_grad_()
    raw = part.condition(x_a, context)
    with torch.no_grad():
        x_b = part.untransform(y_b, raw)
    x_b.requires_grad_()
    z_b, log_det = part.transform(x_b, raw)
    return (x_a, x_b), (torch.cat([x_a, z_b], dim=1), log_det)
