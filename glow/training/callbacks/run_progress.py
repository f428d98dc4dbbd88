"""How far a run is."""

import sys
import time
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar, Timer

from glow.data import ImageDataModule
from glow.training.lightning_module import ImageFlowModule


class RunProgress(RichProgressBar):
    """Show bits/dim, images per second and the time left; one line an epoch without a terminal.

    ``train/images_per_second`` of every epoch is logged, too.
    """

    def __init__(self) -> None:
        super().__init__(leave=False)
        self.lines = not sys.stdout.isatty()
        self._start = self._epoch_start = time.monotonic()
        self._first = self._epoch_first = 0  # steps

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        if self.lines:
            self.disable()
        super().on_train_start(trainer, pl_module)
        self._start, self._first = time.monotonic(), trainer.global_step

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the epoch."""
        super().on_train_epoch_start(trainer, pl_module)
        self._epoch_start, self._epoch_first = time.monotonic(), trainer.global_step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the speed, and print the line of the epoch."""
        super().on_train_epoch_end(trainer, pl_module)
        seen = trainer.callback_metrics  # in every process, since reading may be a reduction
        speed = self._speed(trainer, self._epoch_start, self._epoch_first)
        pl_module.log("train/images_per_second", speed, sync_dist=True, reduce_fx=torch.mean)
        if not self.lines or not trainer.is_global_zero:
            return
        bits = [
            f"{stage} {float(seen[f'{stage}/bits_per_dim']):.3f}"
            for stage in ("train", "val")
            if f"{stage}/bits_per_dim" in seen
        ]
        of = "" if trainer.max_epochs in (None, -1) else f"/{trainer.max_epochs}"
        left = self._left(trainer)
        parts = [
            f"epoch {trainer.current_epoch + 1}{of}, step {trainer.global_step}",
            f"{', '.join(bits)} {self._unit(pl_module)}",
            f"{speed:,.0f} images/s",
            *([f"{left} left"] if left else []),
        ]
        print("; ".join(parts), flush=True)

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Return what the bar shows at its end."""
        shown: dict[str, Any] = {}
        bits = trainer.callback_metrics.get("train/bits_per_dim")
        if bits is not None:
            shown[self._unit(pl_module)] = f"{float(bits):.3f}"
        shown["images/s"] = f"{self._speed(trainer, self._start, self._first):,.0f}"
        left = self._left(trainer)
        return {**shown, "left": left} if left else shown

    @staticmethod
    def _unit(pl_module: LightningModule) -> str:
        """Return the unit of bits/dim, which marks variational bounds."""
        if not isinstance(pl_module, ImageFlowModule):
            return "bits/dim"
        return pl_module.model.dequantizer.unit

    @staticmethod
    def _speed(trainer: Trainer, since: float, first: int) -> float:
        """Return the images per second of all processes since a moment."""
        data: object = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, ImageDataModule):
            return float("nan")
        per_step = data.batch_size * trainer.accumulate_grad_batches * trainer.world_size
        elapsed = max(time.monotonic() - since, 1e-9)
        return (trainer.global_step - first) * per_step / elapsed

    def _left(self, trainer: Trainer) -> str:
        """Return the time until the run ends, as h:mm:ss; empty if that is not known."""
        callbacks: list[object] = trainer.callbacks  # type: ignore[attr-defined]
        timers = (c.time_remaining() for c in callbacks if isinstance(c, Timer))
        ends = [remaining for remaining in timers if remaining is not None]
        done = trainer.global_step - self._first
        total = trainer.estimated_stepping_batches - self._first
        if done and total != float("inf"):
            ends.append((time.monotonic() - self._start) / done * max(0, total - done))
        if not ends:
            return ""
        seconds = max(0, round(min(ends)))
        return f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
