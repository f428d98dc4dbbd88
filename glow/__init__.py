"""Glow: generative flow with invertible 1x1 convolutions (arXiv:1807.03039)."""

from glow.checkpoint import load, save
from glow.latents import Latents
from glow.model import Glow

__all__ = ["Glow", "Latents", "load", "save"]
