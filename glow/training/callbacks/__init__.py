"""Lightning callbacks that Lightning does not have."""

from glow.training.callbacks.data_dependent_init import DataDependentInit
from glow.training.callbacks.gradient_norm import GradientNorm
from glow.training.callbacks.run_checkpoint import RunCheckpoint
from glow.training.callbacks.sample_grid import SampleGrid

__all__ = ["DataDependentInit", "GradientNorm", "RunCheckpoint", "SampleGrid"]
