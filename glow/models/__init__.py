"""Densities over images or vectors."""

from glow.models.base import Base, StandardLogistic, StandardNormal, StandardUniform
from glow.models.density import Density
from glow.models.flowpp import FlowPP, FlowPPStep
from glow.models.glow import (
    BijectionFactory,
    DequantizerFactory,
    FlowStep,
    Glow,
    Level,
    Step,
    TopFactory,
)
from glow.models.image_flow import ImageFlow
from glow.models.jet import Jet, JetStep
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
    "FlowPP",
    "FlowPPStep",
    "FlowStep",
    "Glow",
    "ImageFlow",
    "Jet",
    "JetStep",
    "LayeredDensity",
    "LearnedPrior",
    "Level",
    "MultiScaleFlow",
    "RealNVP",
    "StandardLogistic",
    "StandardNormal",
    "StandardPrior",
    "StandardUniform",
    "Step",
    "TopFactory",
    "TopPrior",
    "latent_shapes",
]
