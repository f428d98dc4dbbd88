import pytest
import torch

from glow.data import ImageDataset, TrainingOrder
from tests.data.trainers import stub_trainer

IMAGES = ImageDataset(torch.zeros(50, 1, 2, 2, dtype=torch.uint8), torch.zeros(50))


def epoch(done: int = 0, seed: int = 0, rank: int = 0, world_size: int = 1) -> list[int]:
    return list(TrainingOrder(IMAGES, 8, seed, stub_trainer(done, rank, world_size)))


def test_the_order_depends_only_on_seed_and_position() -> None:
    first = epoch(done=18, seed=1)
    torch.manual_seed(99)
    assert epoch(done=18, seed=1) == first
    assert [p % 50 for p in epoch(done=24, seed=1)] != [p % 50 for p in first]
    assert epoch(done=18, seed=2) != first
    assert len(first) == len(set(first)) == 48  # six full batches


def test_positions_continue_from_pass_to_pass() -> None:
    assert all(50 * 3 <= position < 50 * 4 for position in epoch(done=18))
    assert sorted({position // 50 for position in epoch(done=20)}) == [3, 4]


@pytest.mark.parametrize("done", [1, 3, 5])
def test_a_resumed_epoch_continues_with_the_next_batch(done: int) -> None:
    assert epoch(done) == [*epoch()[8 * done :], *epoch(done=6)[: 8 * done]]


def test_the_number_of_batches_done_is_read_when_the_epoch_starts() -> None:
    trainer = stub_trainer()
    order = TrainingOrder(IMAGES, 8, 0, trainer)
    indices = iter(order)
    trainer.fit_loop.epoch_loop.batch_progress.total.processed = 6
    assert list(indices) == epoch(done=6)


def test_processes_share_a_pass() -> None:
    first, second = epoch(rank=0, world_size=2), epoch(rank=1, world_size=2)
    assert len(first) == len(second) == 24  # three batches each
    assert len({*first, *second}) == 48
