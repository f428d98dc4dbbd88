"""Lightning callbacks that Lightning does not have."""

from glow.training.callbacks.data_dependent_init import DataDependentInit
from glow.training.callbacks.inverse_health import InverseHealth
from glow.training.callbacks.last_checkpoint import LastCheckpoint
from glow.training.callbacks.non_finite_guard import NonFiniteGuard
from glow.training.callbacks.run_checkpoint import RunCheckpoint
from glow.training.callbacks.run_progress import RunProgress
from glow.training.callbacks.run_timer import RunTimer
from glow.training.callbacks.sample_grid import SampleGrid

__all__ = [
    "DataDependentInit",
    "InverseHealth",
    "LastCheckpoint",
    "NonFiniteGuard",
    "RunCheckpoint",
    "RunProgress",
    "RunTimer",
    "SampleGrid",
]
