"""Maps from uint8 images to continuous ones."""

from glow.dequantizers.dequantizer import Dequantizer
from glow.dequantizers.uniform import UniformDequantizer
from glow.dequantizers.variational import VariationalDequantizer

__all__ = ["Dequantizer", "UniformDequantizer", "VariationalDequantizer"]
