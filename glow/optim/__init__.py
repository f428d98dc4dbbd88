"""Optimization that torch does not have."""

from glow.optim.anchors import anchors
from glow.optim.averaging import warm_ema_
from glow.optim.inverse_sqrt import InverseSqrt
from glow.optim.reference_adamax import ReferenceAdamax
from glow.optim.reference_warmup import ReferenceWarmup
from glow.optim.warmup_cosine import WarmupCosine

__all__ = [
    "InverseSqrt",
    "ReferenceAdamax",
    "ReferenceWarmup",
    "WarmupCosine",
    "anchors",
    "warm_ema_",
]
