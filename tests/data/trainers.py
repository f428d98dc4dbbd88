"""Stand-ins for a trainer that is in the middle of training, or on several processes."""

from types import SimpleNamespace
from typing import Any


def stub_trainer(done: int = 0, rank: int = 0, world_size: int = 1) -> Any:
    """Return what the order of training reads from a trainer.

    Args:
        done: The number of batches that have been trained on.
        rank: The number of this process.
        world_size: The number of processes.
    """
    total = SimpleNamespace(processed=done)
    epoch_loop = SimpleNamespace(batch_progress=SimpleNamespace(total=total))
    fit_loop = SimpleNamespace(epoch_loop=epoch_loop)
    return SimpleNamespace(fit_loop=fit_loop, global_rank=rank, world_size=world_size)
