"""Densities that a flow over vectors learns."""

from glow.targets.checkerboard import Checkerboard
from glow.targets.copies import Copies
from glow.targets.grid import Grid
from glow.targets.noisy_curves import EightGaussians, NoisyCurves, Rings, TwoMoons, TwoSpirals
from glow.targets.picture import Picture
from glow.targets.pinwheel import Pinwheel
from glow.targets.potentials import Potential1, Potential2, Potential3, Potential4
from glow.targets.target import Distribution, Target

__all__ = [
    "Checkerboard",
    "Copies",
    "Distribution",
    "EightGaussians",
    "Grid",
    "NoisyCurves",
    "Picture",
    "Pinwheel",
    "Potential1",
    "Potential2",
    "Potential3",
    "Potential4",
    "Rings",
    "Target",
    "TwoMoons",
    "TwoSpirals",
]
