"""Densities over images or vectors."""

from glow.models.base import Base, StandardLogistic, StandardNormal, StandardUniform
from glow.models.density import Density
from glow.models.glow import (
    BijectionFactory,
    DequantizerFactory,
    FlowStep,
    Glow,
    Level,
    TopFactory,
)
from glow.models.image_flow import ImageFlow
from glow.models.layered_density import LayeredDensity
from glow.models.multi_scale_flow import MultiScaleFlow, latent_shapes
from glow.models.nice import NICE
from glow.models.real_nvp import RealNVP
from glow.models.top_prior import ClassConditionalPrior, LearnedPrior, StandardPrior, TopPrior

__all__ = [
    "NICE",
    "Base",
    "BijectionFactory",
    "ClassConditionalPrior",
    "Density",
    "DequantizerFactory",
    "FlowStep",
    "Glow",
    "ImageFlow",
    "LayeredDensity",
    "LearnedPrior",
    "Level",
    "MultiScaleFlow",
    "RealNVP",
    "StandardLogistic",
    "StandardNormal",
    "StandardPrior",
    "StandardUniform",
    "TopFactory",
    "TopPrior",
    "latent_shapes",
]
