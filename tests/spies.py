"""Callbacks that record what happens in training."""

import os
import signal
import time
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


class Signal(Callback):
    """Send a signal to this process, as a person or a scheduler does.

    Args:
        moment: The name of the hook at which to send it.
        count: How many calls of the hook to let pass before.
        signum: The number of the signal.
        repeat: Whether to send it again and again.
    """

    def __init__(
        self, moment: str, count: int = 0, signum: int = signal.SIGTERM, *, repeat: bool = False
    ) -> None:
        def send(*_: Any) -> None:
            self.calls += 1
            if self.calls == count + 1 or (repeat and self.calls > count):
                os.kill(os.getpid(), signum)

        self.calls = 0
        setattr(self, moment, send)


class Slow(Callback):
    """Take some time for every step.

    Args:
        seconds: The time.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_start(self, *args: Any) -> None:
        time.sleep(self.seconds)


class Poison(Callback):
    """Put a NaN into the gradient of one step.

    Args:
        step: The step.
    """

    def __init__(self, step: int) -> None:
        self.step = step

    def on_after_backward(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.global_step == self.step:
            next(pl_module.parameters()).grad.fill_(float("nan"))
