from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from glow.training.callbacks import LastCheckpoint


def test_saves_wait_for_the_step_and_leave_the_last_batch(tmp_path: Path) -> None:
    saved: list[int] = []
    checkpoint: Any = LastCheckpoint(tmp_path, every_n_minutes=1e-9)
    for batch_idx in range(9):
        trainer = SimpleNamespace(
            accumulate_grad_batches=3,
            is_last_batch=batch_idx == 8,
            world_size=1,
            save_checkpoint=lambda _, weights_only, batch_idx=batch_idx: saved.append(batch_idx),
        )
        checkpoint.on_train_batch_end(trainer, None, None, None, batch_idx)
    assert saved == [2, 5]


def test_processes_agree_every_tenth_step_and_stop_if_one_must(tmp_path: Path) -> None:
    """A reduction that only some processes start would wait forever."""
    asked: list[int] = []
    checkpoint: Any = LastCheckpoint(tmp_path, every_n_minutes=None)
    for batch_idx in range(25):

        def any_of_them(decision: bool, *, all: bool, at: int = batch_idx) -> bool:  # noqa: FBT001
            assert not decision
            assert not all
            asked.append(at)
            return at == 19 and len(asked) == 3  # another process has got a signal

        strategy = SimpleNamespace(reduce_boolean_decision=any_of_them)
        trainer = SimpleNamespace(
            accumulate_grad_batches=1,
            is_last_batch=False,
            world_size=2,
            strategy=strategy,
            save_checkpoint=lambda _, weights_only: None,
        )
        checkpoint.on_train_batch_end(trainer, None, None, None, batch_idx)
        assert checkpoint._leaving == (batch_idx >= 19)
    assert asked == [9, 9, 19]


@pytest.mark.parametrize("wrong", [{"every_n_epochs": 0}, {"every_n_minutes": 0.0}])
def test_wrong_arguments_raise(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"callbacks\.last needs every_n_epochs of at least 1"):
        LastCheckpoint(tmp_path, **wrong)
