"""The table of bijections, over which every generic test runs: a new bijection is one more line."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from glow.bijections import (
    ActNorm,
    ActNormLinear,
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    Chain,
    Checkerboard,
    Columns,
    ContinuousFlow,
    ElementwiseAffine,
    Flattened,
    Halves,
    Inverse,
    LogisticMixture,
    LogisticToNormal,
    Logit,
    LULinear,
    MaskedAutoregressive,
    OrthogonalLinear,
    PlainLinear,
    Planar,
    Positions,
    Radial,
    RationalQuadraticSpline,
    Rescaling,
    ReversePermutation,
    ShufflePermutation,
    Sigmoid,
    Split,
    Squeeze,
    SwapPermutation,
    TanhCoupling,
    TransformCoupling,
)
from glow.bijections.scale_map import double_sigmoid, floored_sigmoid, tanh_exp
from glow.models import (
    ClassConditionalPrior,
    FlowPPStep,
    FlowStep,
    JetStep,
    LearnedPrior,
    Level,
    StandardPrior,
)
from glow.nets import MADE, ZeroConv2d, ZeroLinear
from tests.small_models import affine, gated, mlp, net, perturb, residual, vit

BATCH = 3
IMAGE = (4, 4, 2)  # (C,H,W)
VECTOR = (6,)
LABELS = torch.arange(BATCH) % 2
FEATURES = torch.linspace(-1, 1, BATCH * 3 * 4 * 2, dtype=torch.float64).view(BATCH, 3, 4, 2)

made = partial(MADE, width=7)
smooth = partial(mlp, activation=torch.tanh)
vector_affine = partial(AffineCoupling, net=mlp)
spline = RationalQuadraticSpline(n_bins=5)
mixture = LogisticMixture(3)


class Row(NamedTuple):
    """A bijection, the shape of one example, and what conditions it."""

    make: Callable[[], Bijection]
    shape: tuple[int, ...] = IMAGE
    context: Tensor | None = None


def shared() -> Chain:
    """Return a chain in which one coupling is used twice."""
    coupling = affine(4)
    return Chain(coupling, ReversePermutation(4), coupling)


TABLE: dict[str, Row] = {
    "squeeze": Row(Squeeze),
    "patches": Row(lambda: Squeeze(3), (1, 3, 6)),
    "columns": Row(Columns),
    "rescaling": Row(lambda: Rescaling(-2.5)),
    "swap": Row(lambda: SwapPermutation(4)),
    "positions, checkerboard": Row(lambda: Positions(4, 2)),
    "positions, odd columns": Row(lambda: Positions(3, 2, "columns", odd=True), (4, 3, 2)),
    "positions, rows": Row(lambda: Positions(4, 2, "rows")),
    "halves": Row(lambda: Halves(PlainLinear(2, 0.1), ActNorm(2))),
    "logistic mixture coupling": Row(lambda: TransformCoupling(4, net, mixture)),
    "logistic mixture coupling of vectors given labels": Row(
        lambda: TransformCoupling(6, partial(mlp, n_classes=2), mixture), VECTOR, LABELS
    ),
    "masked autoregressive, logistic mixture": Row(
        lambda: MaskedAutoregressive(6, made, mixture), VECTOR
    ),
    "affine coupling, double sigmoid, transformer": Row(
        lambda: AffineCoupling(4, vit, double_sigmoid)
    ),
    "affine coupling, transformer, given labels": Row(
        lambda: AffineCoupling(4, partial(vit, n_classes=2)), context=LABELS
    ),
    "affine coupling, transformer, given features": Row(
        lambda: AffineCoupling(4, partial(vit, context_channels=3)), context=FEATURES
    ),
    "affine coupling, gated attention": Row(lambda: AffineCoupling(4, gated)),
    "affine coupling, gated attention, given labels": Row(
        lambda: AffineCoupling(4, partial(gated, n_classes=2)), context=LABELS
    ),
    "affine coupling, gated attention, given features": Row(
        lambda: AffineCoupling(4, partial(gated, context_channels=3, elu=True)), context=FEATURES
    ),
    "affine coupling, gated convolutions": Row(
        lambda: AffineCoupling(4, partial(gated, attention=False))
    ),
    "affine coupling given features": Row(
        lambda: affine(4, net=partial(net, context_channels=3)), context=FEATURES
    ),
    "affine coupling, residual, given features": Row(
        lambda: AffineCoupling(4, partial(residual, context_channels=3)), context=FEATURES
    ),
    "step of Flow++": Row(
        lambda: FlowPPStep(IMAGE, lambda c: TransformCoupling(c, gated, mixture))
    ),
    "step of Flow++ without matrices": Row(lambda: FlowPPStep(IMAGE, affine, pointwise=False)),
    "step of Jet": Row(
        lambda: JetStep(4, Positions(4, 2), lambda c: AffineCoupling(c, vit, double_sigmoid))
    ),
    "actnorm": Row(lambda: ActNorm(4)),
    "actnorm of vectors": Row(lambda: ActNorm(6), VECTOR),
    "reverse": Row(lambda: ReversePermutation(4)),
    "shuffle": Row(lambda: ShufflePermutation(4)),
    "shuffle of vectors": Row(lambda: ShufflePermutation(6), VECTOR),
    "1x1 convolution, plain": Row(lambda: PlainLinear(4)),
    "1x1 convolution, LU": Row(lambda: LULinear(4)),
    "linear map of vectors, plain": Row(lambda: PlainLinear(6), VECTOR),
    "linear map of vectors, LU": Row(lambda: LULinear(6), VECTOR),
    "linear map of sequences": Row(lambda: LULinear(3), (3, 5)),
    "actnorm and 1x1 convolution": Row(lambda: ActNormLinear(ActNorm(4), LULinear(4))),
    "actnorm and linear map of vectors": Row(
        lambda: ActNormLinear(ActNorm(6), PlainLinear(6)), VECTOR
    ),
    "frozen linear map": Row(lambda: perturb(LULinear(4)).frozen()),
    "frozen actnorm": Row(lambda: perturb(ActNorm(4)).frozen()),
    "additive coupling": Row(lambda: AdditiveCoupling(4, net)),
    "additive coupling of vectors": Row(lambda: AdditiveCoupling(6, mlp), VECTOR),
    "affine coupling": Row(lambda: affine(4)),
    "affine coupling of vectors": Row(lambda: vector_affine(6), VECTOR),
    "affine coupling given labels": Row(
        lambda: affine(4, net=partial(net, n_classes=2)), context=LABELS
    ),
    "affine coupling of vectors given labels": Row(
        lambda: vector_affine(6, net=partial(mlp, n_classes=2, depth=1)), VECTOR, LABELS
    ),
    "affine coupling, floored": Row(lambda: affine(4, scale_map=floored_sigmoid)),
    "affine coupling, tanh-exp": Row(lambda: affine(4, scale_map=tanh_exp)),
    "affine coupling, zero padding": Row(lambda: affine(4, net=partial(net, edge_indicator=False))),
    "checkerboard": Row(lambda: Checkerboard(4)),
    "coupling with a checkerboard mask": Row(
        lambda: Chain(Squeeze(), Checkerboard(4), affine(4), Inverse(Checkerboard(4))), (1, 4, 6)
    ),
    "affine coupling, learned tanh, residual": Row(lambda: TanhCoupling(4, residual)),
    "affine coupling, learned tanh, residual, given labels": Row(
        lambda: TanhCoupling(4, partial(residual, n_classes=2)), context=LABELS
    ),
    "flattened": Row(lambda: Flattened(AdditiveCoupling(32, mlp))),
    "flattened, given labels": Row(
        lambda: Flattened(AdditiveCoupling(32, partial(mlp, n_classes=2))), context=LABELS
    ),
    "logistic to normal": Row(LogisticToNormal),
    "logistic to normal, of vectors": Row(LogisticToNormal, VECTOR),
    "element-wise affine": Row(lambda: ElementwiseAffine(IMAGE)),
    "element-wise affine of vectors, no shift": Row(
        lambda: ElementwiseAffine(6, shift=False), VECTOR
    ),
    "sigmoid and logit": Row(lambda: Chain(Sigmoid(), Logit())),
    "sigmoid and logit with a margin": Row(lambda: Chain(Sigmoid(), Logit(0.01)), VECTOR),
    "logit of what is around 0": Row(
        lambda: Chain(Inverse(Logit(low=-0.5)), Logit(0.01, low=-0.5))
    ),
    "orthogonal": Row(lambda: OrthogonalLinear(4)),
    "orthogonal map of vectors, 2 reflections": Row(lambda: OrthogonalLinear(6, 2), VECTOR),
    "planar": Row(lambda: Planar(6), VECTOR),
    "radial": Row(lambda: Radial(6), VECTOR),
    "spline coupling": Row(lambda: TransformCoupling(4, net, spline)),
    "spline coupling of vectors given labels": Row(
        lambda: TransformCoupling(6, partial(mlp, n_classes=2), spline), VECTOR, LABELS
    ),
    "masked autoregressive": Row(lambda: MaskedAutoregressive(6, made), VECTOR),
    "masked autoregressive given labels": Row(
        lambda: MaskedAutoregressive(6, partial(made, n_classes=2)), VECTOR, LABELS
    ),
    "masked autoregressive, spline": Row(lambda: MaskedAutoregressive(6, made, spline), VECTOR),
    "inverse autoregressive": Row(lambda: Inverse(MaskedAutoregressive(6, made)), VECTOR),
    "inverse autoregressive given labels, spline": Row(
        lambda: Inverse(MaskedAutoregressive(6, partial(made, n_classes=2), spline)), VECTOR, LABELS
    ),
    "inverse of planar": Row(lambda: Inverse(Planar(6)), VECTOR),
    "inverse of radial": Row(lambda: Inverse(Radial(6)), VECTOR),
    "inverse of a chain": Row(
        lambda: Inverse(Chain(Inverse(Planar(6)), LULinear(6), Radial(6))), VECTOR
    ),
    "continuous": Row(lambda: ContinuousFlow(6, smooth, solver="rk4", n_steps=8), VECTOR),
    "continuous given labels, without the adjoint": Row(
        lambda: ContinuousFlow(
            6, partial(smooth, n_classes=2), solver="rk4", n_steps=8, adjoint=False
        ),
        VECTOR,
        LABELS,
    ),
    "split": Row(lambda: Split(4, ZeroConv2d)),
    "split of vectors": Row(lambda: Split(6, ZeroLinear), VECTOR),
    "standard prior": Row(lambda: StandardPrior(4)),
    "learned prior": Row(lambda: LearnedPrior(4)),
    "learned prior of vectors": Row(lambda: LearnedPrior(6, edge_indicator=False), VECTOR),
    "class prior": Row(lambda: ClassConditionalPrior(4, n_classes=2), context=LABELS),
    "class prior on a standard one": Row(
        lambda: ClassConditionalPrior(4, n_classes=2, base=StandardPrior), context=LABELS
    ),
    "class prior of vectors": Row(
        lambda: ClassConditionalPrior(
            6, n_classes=2, base=partial(LearnedPrior, edge_indicator=False)
        ),
        VECTOR,
        LABELS,
    ),
    "chain": Row(lambda: Chain(ActNorm(4), Squeeze(), LULinear(16))),
    "chain with names": Row(
        lambda: Chain(OrderedDict(norm=ActNorm(6), mix=LULinear(6), coupling=vector_affine(6))),
        VECTOR,
    ),
    "chain with a part that is used twice": Row(shared),
    "flow step": Row(lambda: FlowStep(4, LULinear, affine)),
    "flow step of vectors": Row(lambda: FlowStep(6, ShufflePermutation, vector_affine), VECTOR),
    "level": Row(lambda: Level(4, 2, ShufflePermutation, affine)),
}


def make(name: str, seed: int = 0) -> Bijection:
    """Return a bijection of the table in float64, moved off its initial values."""
    torch.manual_seed(seed)
    return perturb(TABLE[name].make().double())


def example(name: str) -> tuple[Tensor, Tensor | None]:
    """Return inputs for a bijection of the table, float64, and its context."""
    row = TABLE[name]
    return torch.randn(BATCH, *row.shape, dtype=torch.float64), row.context
