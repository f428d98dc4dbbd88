"""Invertible maps of (B, ...), one concept a file."""

from glow.bijections.actnorm import ActNorm, FixedAffine
from glow.bijections.actnorm_linear import ActNormLinear
from glow.bijections.autoregressive import MaskedAutoregressive
from glow.bijections.bijection import Bijection, per_channel, sum_per_example, zero_log_det
from glow.bijections.chain import Chain
from glow.bijections.checkerboard import Checkerboard
from glow.bijections.columns import Columns
from glow.bijections.continuous import FFJORD, ContinuousFlow
from glow.bijections.coupling import AdditiveCoupling, AffineCoupling, Coupling, NetFactory
from glow.bijections.elementwise_affine import ElementwiseAffine
from glow.bijections.flattened import Flattened
from glow.bijections.folded_chain import FoldedChain
from glow.bijections.folding import Foldable, Folded, Setting, fold
from glow.bijections.frozen import Freezable, freeze
from glow.bijections.gaussian import degaussianize, gaussianize
from glow.bijections.halves import Halves
from glow.bijections.inverse import Inverse, inverse_and_log_det
from glow.bijections.linear import FixedLinear, InvertibleLinear, LULinear, PlainLinear
from glow.bijections.logistic import LogisticToNormal
from glow.bijections.logistic_mixture import LogisticMixture
from glow.bijections.memory import (
    Memory,
    RecomputingChain,
    ReversibleChain,
    build_chain,
    drift,
    drops,
)
from glow.bijections.orthogonal import OrthogonalLinear
from glow.bijections.permutation import (
    Permutation,
    ReversePermutation,
    ShufflePermutation,
    SwapPermutation,
)
from glow.bijections.planar import Planar
from glow.bijections.positions import Positions
from glow.bijections.precision import full_precision, without_autocast
from glow.bijections.radial import Radial
from glow.bijections.rescaling import Rescaling
from glow.bijections.root import solve_increasing
from glow.bijections.sigmoid import Logit, Sigmoid
from glow.bijections.spline import RationalQuadraticSpline
from glow.bijections.split import Split
from glow.bijections.squeeze import Squeeze
from glow.bijections.tanh_coupling import LearnedTanh, TanhCoupling
from glow.bijections.transform import Affine, Transform
from glow.bijections.transform_coupling import TransformCoupling

__all__ = [
    "FFJORD",
    "ActNorm",
    "ActNormLinear",
    "AdditiveCoupling",
    "Affine",
    "AffineCoupling",
    "Bijection",
    "Chain",
    "Checkerboard",
    "Columns",
    "ContinuousFlow",
    "Coupling",
    "ElementwiseAffine",
    "FixedAffine",
    "FixedLinear",
    "Flattened",
    "Foldable",
    "Folded",
    "FoldedChain",
    "Freezable",
    "Halves",
    "Inverse",
    "InvertibleLinear",
    "LULinear",
    "LearnedTanh",
    "LogisticMixture",
    "LogisticToNormal",
    "Logit",
    "MaskedAutoregressive",
    "Memory",
    "NetFactory",
    "OrthogonalLinear",
    "Permutation",
    "PlainLinear",
    "Planar",
    "Positions",
    "Radial",
    "RationalQuadraticSpline",
    "RecomputingChain",
    "Rescaling",
    "ReversePermutation",
    "ReversibleChain",
    "Setting",
    "ShufflePermutation",
    "Sigmoid",
    "Split",
    "Squeeze",
    "SwapPermutation",
    "TanhCoupling",
    "Transform",
    "TransformCoupling",
    "build_chain",
    "degaussianize",
    "drift",
    "drops",
    "fold",
    "freeze",
    "full_precision",
    "gaussianize",
    "inverse_and_log_det",
    "per_channel",
    "solve_increasing",
    "sum_per_example",
    "without_autocast",
    "zero_log_det",
]
