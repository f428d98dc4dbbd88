"""Networks that decide inside a coupling."""

from glow.nets.coupling_net import CouplingNet
from glow.nets.edge_conv import EdgeConv2d, edge_map
from glow.nets.features import FeatureEmbedding
from glow.nets.gated_attention_net import GatedAttentionNet, GatedConv, ScaledConv2d
from glow.nets.label_embedding import LabelEmbedding
from glow.nets.made import MADE
from glow.nets.mlp import MLP
from glow.nets.residual_net import ResidualNet
from glow.nets.vision_transformer import VisionTransformer
from glow.nets.zero_layers import ZeroConv2d, ZeroLinear

__all__ = [
    "MADE",
    "MLP",
    "CouplingNet",
    "EdgeConv2d",
    "FeatureEmbedding",
    "GatedAttentionNet",
    "GatedConv",
    "LabelEmbedding",
    "ResidualNet",
    "ScaledConv2d",
    "VisionTransformer",
    "ZeroConv2d",
    "ZeroLinear",
    "edge_map",
]
