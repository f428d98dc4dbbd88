"""Callbacks that record what happens in training."""

import os
import signal
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback


class MetricsSpy(Callback):
    """Record what was logged after every training step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        self.steps.append({key: float(value) for key, value in trainer.callback_metrics.items()})


class CtrlC(Callback):
    """Interrupt the program as a user does."""

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    def on_test_batch_start(self, *args: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
