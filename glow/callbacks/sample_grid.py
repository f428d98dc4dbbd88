"""Look at samples while the model trains."""

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from glow import figures
from glow.lightning_module import GlowModule
from glow.loggers import log_picture


class SampleGrid(Callback):
    """Draw samples from the same latents after every n-th validation, and give them to the loggers.

    The picture goes to ``folder/samples_step_<step>.png``, and to every logger that takes images.
    """

    def __init__(
        self, folder: str | Path, every_n_validations: int = 1, temperature: float = 0.7
    ) -> None:
        self.folder = Path(folder)
        self.every_n_validations = every_n_validations
        self.temperature = temperature
        self._validations = 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, on the first process."""
        self._validations += 1
        due = self._validations % self.every_n_validations == 0
        if not due or not trainer.is_global_zero or trainer.sanity_checking:
            return
        assert isinstance(pl_module, GlowModule)
        figure = figures.sample_grid(pl_module.model, temperature=self.temperature)
        path = self.folder / f"samples_step_{trainer.global_step}.png"
        figures.save(figure, path)
        log_picture(trainer.loggers, "samples", path, trainer.global_step)
