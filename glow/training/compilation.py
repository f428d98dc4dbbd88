"""Compiling a model for training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from glow.bijections import Coupling, ReversibleChain
from glow.models import ImageFlow, Step


def compile_steps(model: ImageFlow, **options: Any) -> None:
    """Compile the steps of flow, in place.

    The steps of a level share one graph, except the first step, whose input has no gradient. What
    is folded for a step (see ``glow.bijections.folding``) is an input of the graph, and says in
    what precision its network computes: around a graph autocast is off, since it would also lower
    the products of the backward pass that must stay in full precision. A reversible chain runs no
    step as a whole, so there only the networks of its couplings are compiled.

    Args:
        model: The model, already initialized.
        options: Options of ``torch.compile``.

    Raises:
        ValueError: If the model has no steps of flow.
    """
    reversible = [m for m in model.modules() if isinstance(m, ReversibleChain)]
    within = [part for chain in reversible for part in chain.modules()]
    nets = [part.net for part in within if isinstance(part, Coupling)]
    steps = [m for m in model.modules() if isinstance(m, Step) and m not in within]
    if not steps and not nets:
        raise ValueError(f"{type(model).__name__} has no steps of flow to compile: compiled=false")
    for module in (*steps, *nets):
        module.compile(dynamic=False, **options)


@contextmanager
def enough_graphs(model: ImageFlow) -> Iterator[None]:
    """Let ``torch.compile`` keep as many graphs of a step as the model needs.

    Every level has other shapes, and up to two graphs for inputs with and without a gradient, in
    training and in evaluation. By default torch gives up on a function after 8 graphs.
    """
    config = torch.compiler.config
    needed = max(config.recompile_limit, 4 * len(model.latent_shapes))
    with config.patch(recompile_limit=needed):  # type: ignore[attr-defined]
        yield
