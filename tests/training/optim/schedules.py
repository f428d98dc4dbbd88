"""What the tests of schedules share."""

import torch
from torch.optim.lr_scheduler import LRScheduler


def sgd(lr: float) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr)


def rates(schedule: LRScheduler, n_steps: int) -> list[float]:
    """Return the learning rate of each of the first steps."""
    found = []
    for _ in range(n_steps):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return found
