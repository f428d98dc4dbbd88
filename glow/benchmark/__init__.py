"""Measurements of speed."""

from glow.benchmark.case import OURS, PEER, Case
from glow.benchmark.choices import Choice, choices
from glow.benchmark.compare import compare_choices, compare_subjects
from glow.benchmark.loading import loading_speeds, random_images
from glow.benchmark.measure import matrix_rates, megabytes_held, megabytes_peak, seconds

__all__ = [
    "OURS",
    "PEER",
    "Case",
    "Choice",
    "choices",
    "compare_choices",
    "compare_subjects",
    "loading_speeds",
    "matrix_rates",
    "megabytes_held",
    "megabytes_peak",
    "random_images",
    "seconds",
]
