"""The checkpoint from which a run resumes."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint, WeightAveraging

from glow.system.interruption import SignalInbox, Stopped

AGREEMENT = 10  # Several processes agree on saving once in so many steps.
PATIENCE = 10.0  # seconds in which a process waits for the one that started it


class LastCheckpoint(Checkpoint):
    """Write ``last.ckpt`` after epochs, after some minutes, and when a signal stops the run.

    SIGINT (Ctrl-C), SIGTERM and SIGUSR1 stop a run after the current step of the optimizer, or
    after the current batch of a validation, which a resumed run repeats as a whole. The run is
    saved and ``Stopped`` is raised. If one of several processes gets the signal, all stop.

    Args:
        dirpath: The folder of the file.
        every_n_epochs: After how many epochs to save; the last epoch always counts.
        every_n_minutes: After how many minutes to save within an epoch; None for never.

    Raises:
        ValueError: If one of the numbers is not positive.
    """

    def __init__(
        self, dirpath: str | Path, every_n_epochs: int = 1, every_n_minutes: float | None = 5.0
    ) -> None:
        if every_n_epochs < 1 or (every_n_minutes is not None and every_n_minutes <= 0):
            raise ValueError(
                "callbacks.last needs every_n_epochs of at least 1 and positive every_n_minutes, "
                f"got {every_n_epochs} and {every_n_minutes}"
            )
        self.path = Path(dirpath) / "last.ckpt"
        self.every_n_epochs = every_n_epochs
        self.every_n_minutes = every_n_minutes
        self._inbox = SignalInbox()
        self._saved_at = time.monotonic()
        self._leaving = False
        self._validating = False
        self._common_batches = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Catch signals, in place of Lightning, whose handlers wait for all processes."""
        self._inbox.open()
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if that is due: after a step, but not before the validation that follows it.

        With accumulated gradients this waits for the step, so no gradient is lost.
        """
        step, rest = divmod(batch_idx + 1, trainer.accumulate_grad_batches)
        if rest or trainer.is_last_batch or (trainer.world_size > 1 and step % AGREEMENT):
            return
        stop = self._any(trainer, self._inbox.received is not None)
        if stop or self._any(trainer, self._is_due()):
            self._save(trainer)
        self._leaving = stop

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop before the next step, because only now the one before has been logged."""
        if self._leaving:
            self._leave(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out how many batches every process has."""
        own = torch.tensor(float(sum(trainer.num_val_batches)), device=pl_module.device)
        self._common_batches = int(trainer.strategy.reduce(own, reduce_op="min"))

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Stop within validation, with the weights that were trained in their place."""
        if trainer.sanity_checking or batch_idx >= self._common_batches:
            return
        if not self._any(trainer, self._inbox.received is not None):
            return
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, WeightAveraging):  # which has exchanged them with the averages
                callback.on_validation_epoch_end(trainer, pl_module)
        self._validating = True
        self._save(trainer)
        self._leave(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after an epoch."""
        stop = self._leaving or self._any(trainer, self._inbox.received is not None)
        last = trainer.fit_loop.done
        if stop or last or (trainer.current_epoch + 1) % self.every_n_epochs == 0:
            self._save(trainer)
        if stop:
            self._leave(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave signals to others."""
        self._inbox.close()
        if self._inbox.received is not None:
            raise Stopped(self._inbox.received, saved=True)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Leave signals to others."""
        self._inbox.close()

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Describe a run that stopped within validation as one whose validation has just begun."""
        if self._validating:
            progress = checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]
            done = progress["total"]["completed"]
            progress["total"] = {"ready": done + 1, "started": done + 1}
            progress["total"] |= {"processed": done, "completed": done}
            progress["current"] = dict.fromkeys(progress["current"], 0)

    def _is_due(self) -> bool:
        minutes = (time.monotonic() - self._saved_at) / 60
        return self.every_n_minutes is not None and minutes >= self.every_n_minutes

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved_at = time.monotonic()

    def _leave(self, trainer: Trainer) -> None:
        environment: Any = getattr(trainer.strategy, "cluster_environment", None)
        if trainer.global_rank and not environment.creates_processes_externally:
            _wait_for_parent()
        raise Stopped(self._inbox.received or signal.SIGTERM, saved=True)

    @staticmethod
    def _any(trainer: Trainer, decision: bool) -> bool:  # noqa: FBT001
        """Return whether any process decides so."""
        if trainer.world_size == 1:
            return decision
        return bool(trainer.strategy.reduce_boolean_decision(decision, all=False))


def _wait_for_parent() -> None:
    """Let the process that started this one end first: it takes an earlier end for a failure."""
    parent, since = os.getppid(), time.monotonic()
    while os.getppid() == parent and time.monotonic() - since < PATIENCE:
        time.sleep(0.05)
