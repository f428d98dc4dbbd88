"""What a benchmark compares, and how it measures time and memory."""

from glow.benchmark.case import OURS, PEER, Case
from glow.benchmark.measure import matrix_product_rate, megabytes_held, megabytes_peak, seconds

__all__ = [
    "OURS",
    "PEER",
    "Case",
    "matrix_product_rate",
    "megabytes_held",
    "megabytes_peak",
    "seconds",
]
