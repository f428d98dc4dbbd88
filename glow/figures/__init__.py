"""Figures, drawn by matplotlib."""

from glow.figures.attributes import attributes
from glow.figures.compression import compression
from glow.figures.curves import Curve, sweep_curves, training_curve
from glow.figures.image_table import animate, image_table, save
from glow.figures.interpolation import corners, interpolation, moving_interpolation
from glow.figures.levels import reconstructions, resamplings
from glow.figures.likelihoods import likelihoods
from glow.figures.plane import densities_table, density_image, density_sheet, flowing_points
from glow.figures.samples import (
    PAPER_TEMPERATURES,
    neighbors,
    sample_grid,
    samples_of_models,
    temperature_sweep,
)
from glow.figures.speed import speed

__all__ = [
    "PAPER_TEMPERATURES",
    "Curve",
    "animate",
    "attributes",
    "compression",
    "corners",
    "densities_table",
    "density_image",
    "density_sheet",
    "flowing_points",
    "image_table",
    "interpolation",
    "likelihoods",
    "moving_interpolation",
    "neighbors",
    "reconstructions",
    "resamplings",
    "sample_grid",
    "samples_of_models",
    "save",
    "speed",
    "sweep_curves",
    "temperature_sweep",
    "training_curve",
]
