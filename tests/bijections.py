"""The table of bijections that every generic test runs over: a new layer is one more line."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from glow.flow import FlowStep, Level, MultiScaleFlow
from glow.latents import Latents
from glow.layers import (
    ActNorm,
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Chain,
    ClassConditionalPrior,
    CouplingNet,
    LearnedPrior,
    LUInvertibleConv,
    NormalizedConv,
    PlainInvertibleConv,
    ReversePermutation,
    ShufflePermutation,
    Split,
    Squeeze,
    StandardPrior,
    TopPrior,
)
from glow.layers.scale_map import floored_sigmoid, tanh_exp

SHAPE = (4, 4, 2)  # (C,H,W) that every bijection of the table takes
BATCH = 3

Module = TypeVar("Module", bound=nn.Module)

net = partial(CouplingNet, width=5)
affine = partial(AffineCoupling, net=net)


class JoinedSplit(Bijection):
    """A split whose two outputs are seen as one."""

    def __init__(self, split: Split) -> None:
        super().__init__()
        self.split = split

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, eps, log_det = self.split(x)
        return torch.cat([kept, eps], dim=1), log_det

    def inverse(self, y: Tensor) -> Tensor:
        return self.split.inverse(*y.chunk(2, dim=1))


class GivenLabels(Bijection):
    """A top prior or a flow that is told the labels of the batch, and whose latents are joined."""

    def __init__(self, module: TopPrior | MultiScaleFlow) -> None:
        super().__init__()
        self.module = module

    def _labels(self, x: Tensor) -> Tensor:
        return torch.arange(len(x)) % 2

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, log_det = self.module(x, self._labels(x))
        return (y.flatten() if isinstance(y, Latents) else y), log_det

    def inverse(self, y: Tensor) -> Tensor:
        if isinstance(self.module, MultiScaleFlow):
            latents = Latents.unflatten(y, self.module.latent_shapes)
            return self.module.inverse(latents, self._labels(y))
        return self.module.inverse(y, self._labels(y))


BIJECTIONS: dict[str, Callable[[], Bijection]] = {
    "squeeze": Squeeze,
    "actnorm": lambda: ActNorm(4),
    "reverse": lambda: ReversePermutation(4),
    "shuffle": lambda: ShufflePermutation(4),
    "invertible conv, plain": lambda: PlainInvertibleConv(4),
    "invertible conv, LU": lambda: LUInvertibleConv(4),
    "invertible conv, normalized": lambda: NormalizedConv(ActNorm(4), LUInvertibleConv(4)),
    "additive coupling": lambda: AdditiveCoupling(4, net),
    "affine coupling": lambda: affine(4),
    "affine coupling, floored": lambda: affine(4, scale_map=floored_sigmoid),
    "affine coupling, tanh-exp": lambda: affine(4, scale_map=tanh_exp),
    "affine coupling, zero padding": lambda: affine(4, net=partial(net, edge_indicator=False)),
    "split": lambda: JoinedSplit(Split(4)),
    "standard prior": lambda: GivenLabels(StandardPrior(4)),
    "learned prior": lambda: GivenLabels(LearnedPrior(4)),
    "class prior": lambda: GivenLabels(ClassConditionalPrior(4, n_classes=2)),
    "class prior on a standard one": lambda: GivenLabels(
        ClassConditionalPrior(4, n_classes=2, base=StandardPrior)
    ),
    "chain": lambda: Chain(ActNorm(4), Squeeze(), LUInvertibleConv(16)),
    "flow step": lambda: FlowStep(4, LUInvertibleConv, affine),
    "level": lambda: Level(4, 2, ShufflePermutation, affine),
    "flow": lambda: GivenLabels(MultiScaleFlow(SHAPE, 1, 2, coupling=affine)),
    "flow of two levels": lambda: GivenLabels(
        MultiScaleFlow((1, 4, 8), 2, 2, PlainInvertibleConv, affine)
    ),
}


def make(name: str, seed: int = 0) -> Bijection:
    """Return a bijection of the table in float64, moved off its initial values."""
    torch.manual_seed(seed)
    return perturb(BIJECTIONS[name]().double())


def perturb(module: Module, scale: float = 0.1) -> Module:
    """Add noise to every parameter, so that nothing is trivially zero or the identity."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return module
