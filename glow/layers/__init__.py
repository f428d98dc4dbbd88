"""The invertible layers of Glow: pure maths on tensors, one concept per file."""

from glow.layers.actnorm import ActNorm, data_dependent_init
from glow.layers.bijection import Bijection, full_precision, zero_log_det
from glow.layers.chain import Chain, Memory
from glow.layers.coupling import AdditiveCoupling, AffineCoupling
from glow.layers.coupling_net import CouplingNet
from glow.layers.dequantize import Dequantize
from glow.layers.edge_conv import EdgeConv2d
from glow.layers.gaussian import degaussianize, gaussianize
from glow.layers.invertible_conv import (
    InvertibleConv,
    LUInvertibleConv,
    NormalizedConv,
    PlainInvertibleConv,
)
from glow.layers.permutation import Permutation, ReversePermutation, ShufflePermutation
from glow.layers.split import Split
from glow.layers.squeeze import Squeeze
from glow.layers.top_prior import ClassConditionalPrior, LearnedPrior, StandardPrior, TopPrior
from glow.layers.zero_conv import ZeroConv2d, ZeroLinear

__all__ = [
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Bijection",
    "Chain",
    "ClassConditionalPrior",
    "CouplingNet",
    "Dequantize",
    "EdgeConv2d",
    "InvertibleConv",
    "LUInvertibleConv",
    "LearnedPrior",
    "Memory",
    "NormalizedConv",
    "Permutation",
    "PlainInvertibleConv",
    "ReversePermutation",
    "ShufflePermutation",
    "Split",
    "Squeeze",
    "StandardPrior",
    "TopPrior",
    "ZeroConv2d",
    "ZeroLinear",
    "data_dependent_init",
    "degaussianize",
    "full_precision",
    "gaussianize",
    "zero_log_det",
]
