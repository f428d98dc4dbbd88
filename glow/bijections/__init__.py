"""Invertible maps of (B, ...), one concept a file."""

from glow.bijections.actnorm import ActNorm, FixedAffine
from glow.bijections.actnorm_linear import ActNormLinear
from glow.bijections.bijection import Bijection, per_channel, sum_per_example, zero_log_det
from glow.bijections.chain import Chain
from glow.bijections.coupling import AdditiveCoupling, AffineCoupling, Coupling, NetFactory
from glow.bijections.folded_chain import FoldedChain
from glow.bijections.folding import Foldable, Folded, Setting, fold
from glow.bijections.frozen import Freezable, freeze
from glow.bijections.gaussian import degaussianize, gaussianize
from glow.bijections.linear import FixedLinear, InvertibleLinear, LULinear, PlainLinear
from glow.bijections.memory import Memory, RecomputingChain, ReversibleChain, build_chain, drift
from glow.bijections.permutation import Permutation, ReversePermutation, ShufflePermutation
from glow.bijections.precision import full_precision, without_autocast
from glow.bijections.split import Split
from glow.bijections.squeeze import Squeeze

__all__ = [
    "ActNorm",
    "ActNormLinear",
    "AdditiveCoupling",
    "AffineCoupling",
    "Bijection",
    "Chain",
    "Coupling",
    "FixedAffine",
    "FixedLinear",
    "Foldable",
    "Folded",
    "FoldedChain",
    "Freezable",
    "InvertibleLinear",
    "LULinear",
    "Memory",
    "NetFactory",
    "Permutation",
    "PlainLinear",
    "RecomputingChain",
    "ReversePermutation",
    "ReversibleChain",
    "Setting",
    "ShufflePermutation",
    "Split",
    "Squeeze",
    "build_chain",
    "degaussianize",
    "drift",
    "fold",
    "freeze",
    "full_precision",
    "gaussianize",
    "per_channel",
    "sum_per_example",
    "without_autocast",
    "zero_log_det",
]
