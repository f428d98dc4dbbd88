from types import SimpleNamespace
from typing import Any

import pytest
import torch

from glow.data import ImageDataset, TrainingOrder

IMAGES = ImageDataset(torch.zeros(50, 1, 2, 2, dtype=torch.uint8), torch.zeros(50))


def trainer(done: int = 0, rank: int = 0, world_size: int = 1) -> Any:
    """Return what an order wants to know of a trainer."""
    total = SimpleNamespace(processed=done)
    epoch_loop = SimpleNamespace(batch_progress=SimpleNamespace(total=total))
    fit_loop = SimpleNamespace(epoch_loop=epoch_loop)
    return SimpleNamespace(fit_loop=fit_loop, global_rank=rank, world_size=world_size)


def epoch(done: int = 0, seed: int = 0, rank: int = 0, world_size: int = 1) -> list[int]:
    return list(TrainingOrder(IMAGES, 8, seed, trainer(done, rank, world_size)))


def test_it_depends_on_seed_and_position_alone() -> None:
    first = epoch(done=18, seed=1)
    torch.manual_seed(99)
    assert epoch(done=18, seed=1) == first
    assert [p % 50 for p in epoch(done=24, seed=1)] != [p % 50 for p in first]
    assert epoch(done=18, seed=2) != first
    assert len(first) == len(set(first)) == 48  # six whole batches


def test_positions_count_on_from_pass_to_pass() -> None:
    assert all(50 * 3 <= position < 50 * 4 for position in epoch(done=18))
    assert sorted({position // 50 for position in epoch(done=20)}) == [3, 4]


@pytest.mark.parametrize("done", [1, 3, 5])
def test_a_resumed_epoch_goes_on_with_the_next_batch(done: int) -> None:
    assert epoch(done) == [*epoch()[8 * done :], *epoch(done=6)[: 8 * done]]


def test_the_trainer_is_asked_when_the_epoch_starts() -> None:
    moving = trainer()
    order = TrainingOrder(IMAGES, 8, 0, moving)
    indices = iter(order)
    moving.fit_loop.epoch_loop.batch_progress.total.processed = 6
    assert list(indices) == epoch(done=6)


def test_processes_share_a_pass() -> None:
    first, second = epoch(rank=0, world_size=2), epoch(rank=1, world_size=2)
    assert len(first) == len(second) == 24  # three batches each
    assert len({*first, *second}) == 48
