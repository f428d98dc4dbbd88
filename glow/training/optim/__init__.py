"""Optimizers, schedules and averages that torch does not have."""

from glow.training.optim.anchors import anchors
from glow.training.optim.averaging import warm_ema_
from glow.training.optim.inverse_sqrt import InverseSqrt
from glow.training.optim.linear_warmup import LinearWarmup
from glow.training.optim.reference_adamax import ReferenceAdamax
from glow.training.optim.reference_warmup import ReferenceWarmup
from glow.training.optim.warmup_cosine import WarmupCosine

__all__ = [
    "InverseSqrt",
    "LinearWarmup",
    "ReferenceAdamax",
    "ReferenceWarmup",
    "WarmupCosine",
    "anchors",
    "warm_ema_",
]
