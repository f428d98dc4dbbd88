"""Lightning callbacks that Lightning does not have."""

from glow.callbacks.data_dependent_init import DataDependentInit
from glow.callbacks.gradient_norm import GradientNorm
from glow.callbacks.run_checkpoint import RunCheckpoint
from glow.callbacks.sample_grid import SampleGrid

__all__ = ["DataDependentInit", "GradientNorm", "RunCheckpoint", "SampleGrid"]
