from types import SimpleNamespace
from typing import Any

import pytest
from pytorch_lightning.callbacks import ModelCheckpoint

from glow.training.callbacks import RunCheckpoint


def test_saves_wait_for_the_step_and_leave_the_last_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr(ModelCheckpoint, "on_train_batch_end", lambda *args: tried.append(args[-1]))
    checkpoint: Any = RunCheckpoint()
    for batch_idx in range(9):
        trainer = SimpleNamespace(accumulate_grad_batches=3, is_last_batch=batch_idx == 8)
        checkpoint.on_train_batch_end(trainer, None, None, None, batch_idx)
    assert tried == [2, 5]
