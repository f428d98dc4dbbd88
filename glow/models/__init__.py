"""Densities over images."""

from glow.models.glow import (
    BijectionFactory,
    DequantizerFactory,
    FlowStep,
    Glow,
    Level,
    TopFactory,
)
from glow.models.image_flow import ImageFlow
from glow.models.multi_scale_flow import MultiScaleFlow, latent_shapes
from glow.models.top_prior import ClassConditionalPrior, LearnedPrior, StandardPrior, TopPrior

__all__ = [
    "BijectionFactory",
    "ClassConditionalPrior",
    "DequantizerFactory",
    "FlowStep",
    "Glow",
    "ImageFlow",
    "LearnedPrior",
    "Level",
    "MultiScaleFlow",
    "StandardPrior",
    "TopFactory",
    "TopPrior",
    "latent_shapes",
]
