"""How many threads torch uses on the CPU."""

import os

import psutil
import torch

from glow.runs.building import checked

AVAILABLE = torch.get_num_threads()  # at the start, before a job of a sweep took fewer


@checked
def use_threads(threads: int | None = None) -> int:
    """Let torch use as many threads as are given, or as many as there are idle cores.

    Threads that compete for a core wait for each other at the end of every operation, which can
    make a small model many times slower. ``OMP_NUM_THREADS`` in the environment counts as given.

    Args:
        threads: The number of threads, or None.

    Returns:
        The number of threads.

    Raises:
        ValueError: If ``threads`` is less than 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    if threads is None and "OMP_NUM_THREADS" not in os.environ:
        busy = psutil.cpu_percent(interval=0.3) / 100
        idle = round((psutil.cpu_count() or 1) * (1 - busy))
        threads = min(max(1, idle), AVAILABLE)
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.get_num_threads()
