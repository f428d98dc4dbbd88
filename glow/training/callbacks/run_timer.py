"""How long a run has trained."""

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Timer


class RunTimer(Timer):
    """Stop after a duration, and log ``val/seconds`` with every validation.

    Seconds count from the start of training to that of the validation, with the validations
    before. A run that resumes goes on counting.
    """

    _seconds = 0.0

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the clock."""
        super().on_validation_start(trainer, pl_module)
        self._seconds = self.time_elapsed("train")

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what it said."""
        if not trainer.sanity_checking:
            pl_module.log("val/seconds", self._seconds, sync_dist=True)
