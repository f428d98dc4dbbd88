"""Checkpoints from which a run can resume."""

from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ``ModelCheckpoint``, for run folders that move and for saves at any time.

    The best score so far survives when the folder is moved or copied. With accumulated gradients,
    saves within an epoch wait for the optimizer's step; the last batch of an epoch is left to the
    save that follows validation. So no gradient and no validation is lost.
    """

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save if that is due and safe."""
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and not trainer.is_last_batch:
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state, with its files in the folder of this run."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        moved = {
            name: here(value) if name.endswith("_path") else value
            for name, value in state_dict.items()
        }
        moved["dirpath"] = self.dirpath
        moved["best_k_models"] = {here(k): v for k, v in state_dict["best_k_models"].items()}
        super().load_state_dict(moved)
