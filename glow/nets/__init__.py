"""Networks that decide inside a coupling."""

from glow.nets.coupling_net import CouplingNet
from glow.nets.edge_conv import EdgeConv2d, edge_map
from glow.nets.label_embedding import LabelEmbedding
from glow.nets.made import MADE
from glow.nets.mlp import MLP
from glow.nets.residual_net import ResidualNet
from glow.nets.zero_layers import ZeroConv2d, ZeroLinear

__all__ = [
    "MADE",
    "MLP",
    "CouplingNet",
    "EdgeConv2d",
    "LabelEmbedding",
    "ResidualNet",
    "ZeroConv2d",
    "ZeroLinear",
    "edge_map",
]
