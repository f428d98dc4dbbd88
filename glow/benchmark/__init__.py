"""Measurements of speed, beside a peer's."""

from glow.benchmark.case import OURS, PEER, Case
from glow.benchmark.choices import Choice, choices
from glow.benchmark.compare import compare_choices, compare_subjects
from glow.benchmark.measure import matrix_product_rate, megabytes_held, megabytes_peak, seconds

__all__ = [
    "OURS",
    "PEER",
    "Case",
    "Choice",
    "choices",
    "compare_choices",
    "compare_subjects",
    "matrix_product_rate",
    "megabytes_held",
    "megabytes_peak",
    "seconds",
]
