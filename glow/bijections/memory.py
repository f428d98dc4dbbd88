"""What training keeps of the activations for the backward pass: time traded for memory.

None of this changes a value or, except for rounding, a gradient. A reader of the model can skip it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from glow.bijections.bijection import Bijection, total_log_det
from glow.bijections.coupling import Coupling
from glow.bijections.folded_chain import FoldedChain
from glow.bijections.folding import Folded, Setting, call, call_inverse, fold
from glow.bijections.precision import without_autocast

Memory = Literal["keep", "recompute", "reverse"]


def build_chain(bijections: Sequence[Bijection], memory: Memory = "keep") -> FoldedChain:
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
        A ``FoldedChain``, a ``RecomputingChain`` or a ``ReversibleChain``; their ``state_dict`` is
        the same.

    Raises:
        ValueError: If there is no such policy, or it would run a part with dropout twice.
    """
    kinds = {"keep": FoldedChain, "recompute": RecomputingChain, "reverse": ReversibleChain}
    if memory not in kinds:
        raise ValueError(f"memory must be one of {', '.join(get_args(Memory))}, got {memory}")
    chain = kinds[memory](*bijections)
    if memory != "keep" and drops(chain):
        raise ValueError(
            f"memory={memory} runs networks again for the backward pass, where dropout would drop "
            "other features: set memory=keep, or dropout=0"
        )
    return chain


def drops(module: nn.Module) -> bool:
    """Return whether a module draws random numbers in training, by dropout."""
    return any(isinstance(part, nn.Dropout) and part.p > 0 for part in module.modules())


class RecomputingChain(FoldedChain):
    """A chain that keeps the input of each part and runs the part again in the backward pass.

    What was folded for the parts is kept as well; it is as large as their parameters.
    """

    def run(
        self, part: nn.Module, x: Tensor, context: Tensor | None, folded: Folded
    ) -> tuple[Tensor, Tensor]:
        """Apply one part, and keep none of its activations."""
        if not torch.is_grad_enabled():
            return super().run(part, x, context, folded)
        y, log_det = checkpoint(
            call,
            part,
            x,
            context,
            folded,
            use_reentrant=False,
            preserve_rng_state=False,  # no part draws random numbers
        )
        return y, log_det


class ReversibleChain(FoldedChain):
    """A chain that keeps its input and output, and recovers the rest by inverting its parts.

    The rounding errors of the inverses add up, and grow where scales are close to 0. ``drift`` is
    the largest difference between the true input and the one at which the last backward pass
    arrived, or None before the first.
    """

    drift: Tensor | None = None

    def forward(
        self, x: Tensor, context: Tensor | None = None, folded: Folded | None = None
    ) -> tuple[Tensor, Tensor]:
        """Apply every part, first to last."""
        if not torch.is_grad_enabled():
            return super().forward(x, context, folded)
        with torch.no_grad():  # the backward pass folds again, so that nothing is kept until then
            folded = self.folded_for(x, folded)
        y, log_det = _Reversed.apply(self, folded, x, context, *self.parameters())
        return y, log_det


def drift(module: nn.Module) -> Tensor | None:
    """Return the largest ``drift`` of the reversible chains in ``module``, or None without any."""
    chains = (part for part in module.modules() if isinstance(part, ReversibleChain))
    found = [part.drift for part in chains if part.drift is not None]
    return torch.stack(found).max() if found else None


def _flattened(chain: FoldedChain, folded: Folded) -> Iterator[tuple[Any, Folded]]:
    """Yield every part and what was folded for it; inner chains yield their parts."""
    for part, share in zip(chain, folded.parts, strict=True):
        if isinstance(part, FoldedChain):
            yield from _flattened(part, share)
        else:
            yield part, share


class _Reversed(torch.autograd.Function):
    """A chain as a single operation, whose backward pass inverts the parts one by one."""

    @staticmethod
    def forward(
        ctx: Any,
        chain: ReversibleChain,
        folded: Folded,
        x: Tensor,
        context: Tensor | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        y, terms = x, []
        with without_autocast(x):
            for part, share in _flattened(chain, folded):
                y, term = call(part, y, context, share)
                terms.append(term)
        ctx.chain, ctx.setting, ctx.parameters = chain, folded.setting, parameters
        ctx.save_for_backward(x, y, context)
        return y, total_log_det(terms, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_log_det: Tensor) -> tuple[Tensor | None, ...]:
        x, y, context = ctx.saved_tensors
        if context is not None and context.is_floating_point():
            context = context.detach().requires_grad_(ctx.needs_input_grad[3])
        with torch.enable_grad():
            [recorded] = fold([ctx.chain], ctx.setting)
        leaves = [t.detach().requires_grad_(t.requires_grad) for t in recorded.leaves()]
        parts = list(_flattened(ctx.chain, recorded.replaced(iter(leaves))))
        inverses = _inverses([part for part, _ in parts], ctx.setting)
        # The gradients of what is used twice add up.
        gradients: dict[Tensor, Tensor] = {}
        for (part, share), inverse in reversed(list(zip(parts, inverses, strict=True))):
            with torch.enable_grad(), without_autocast(x):
                inputs, outputs = _rebuild(part, y, context, share, inverse)
            used = (*share.leaves(), *part.parameters(), *([] if context is None else [context]))
            found = _gradients(outputs, (grad_y, grad_log_det), inputs, used, gradients)
            y = torch.cat([tensor.detach() for tensor in inputs], dim=1)
            grad_y = torch.cat(list(found), dim=1)
        ctx.chain.drift = (y - x).abs().max()
        incoming = [gradients.get(leaf) for leaf in leaves]
        _gradients(tuple(recorded.leaves()), incoming, (), ctx.parameters, gradients)
        of_context = None if context is None else gradients.get(context)
        return (None, None, grad_y, of_context, *(gradients.get(p) for p in ctx.parameters))


def _gradients(
    outputs: Sequence[Tensor],
    incoming: Sequence[Tensor | None],
    inputs: Sequence[Tensor],
    used: Sequence[Tensor],
    gradients: dict[Tensor, Tensor],
) -> Sequence[Tensor]:
    """Add the gradients of the tensors ``used`` to ``gradients``; return those of the inputs."""
    pairs = zip(outputs, incoming, strict=True)
    recorded = [pair for pair in pairs if pair[0].requires_grad and pair[1] is not None]
    learned = [tensor for tensor in used if tensor.requires_grad]
    if not recorded or not (inputs or learned):
        return ()
    found = torch.autograd.grad(
        [output for output, _ in recorded],
        [*inputs, *learned],
        [gradient for _, gradient in recorded],
        allow_unused=True,
    )
    for tensor, gradient in zip(learned, found[len(inputs) :], strict=True):
        if gradient is not None:
            before = gradients.get(tensor)
            gradients[tensor] = gradient if before is None else before + gradient
    return found[: len(inputs)]


def _has_halves(part: Any) -> bool:
    """Return whether a part is a coupling with the directions of its base class."""
    directions = type(part).forward, type(part).inverse
    return isinstance(part, Coupling) and directions == (Coupling.forward, Coupling.inverse)


def _inverses(parts: list[Any], setting: Setting) -> list[Folded | None]:
    """Fold for their inverses the parts whose inverse is called."""
    inverted = [part for part in parts if not _has_halves(part)]
    shares = iter(fold(inverted, setting, inverse=True))
    return [None if _has_halves(part) else next(shares) for part in parts]


def _rebuild(
    part: Any, y: Tensor, context: Tensor | None, folded: Folded, inverse: Folded | None
) -> tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]:
    """Recover the input of a part from its output, and record the part for autograd.

    Returns the input, as leaves whose channels follow one another, and y and ``log_det`` computed
    from them. A coupling runs its network once for both directions, unless its class has its own
    ``forward`` or ``inverse``.
    """
    if inverse is not None:
        with torch.no_grad():
            x = call_inverse(part, y, context, inverse)
        leaf = x.detach().requires_grad_()
        return (leaf,), call(part, leaf, context, folded)
    y_a, y_b = y.chunk(2, dim=1)
    x_a = y_a.detach().requires_grad_()
    raw = part.raw(x_a, context, folded)
    with torch.no_grad():
        x_b = part.untransform(y_b, raw)
    x_b.requires_grad_()
    z_b, log_det = part.transform(x_b, raw)
    return (x_a, x_b), (torch.cat([x_a, z_b], dim=1), log_det)
