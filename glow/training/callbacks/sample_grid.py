"""Look at samples while the model trains."""

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from glow import figures
from glow.training.lightning_module import ImageFlowModule
from glow.training.loggers import log_picture


class SampleGrid(Callback):
    """Draw samples from the same latents at the validation of every n-th epoch.

    The samples come from the weights that are validated: the averaged ones, if there are any. Put
    this before the callback that averages. The picture goes to
    ``<folder>/samples_step_<step>.png`` and to Weights & Biases, if the run logs there.

    Args:
        folder: The folder of the pictures.
        every_n_epochs: Draw after every n-th epoch.
        temperature: The temperature of the samples.

    Raises:
        ValueError: If ``every_n_epochs`` is less than 1.
    """

    def __init__(
        self, folder: str | Path, every_n_epochs: int = 1, temperature: float = 0.7
    ) -> None:
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs must be at least 1, got {every_n_epochs}")
        self.folder = Path(folder)
        self.every_n_epochs = every_n_epochs
        self.temperature = temperature

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, in the first process."""
        due = (trainer.current_epoch + 1) % self.every_n_epochs == 0
        if not due or not trainer.is_global_zero or trainer.sanity_checking:
            return
        assert isinstance(pl_module, ImageFlowModule)
        figure = figures.sample_grid(pl_module.model, temperature=self.temperature)
        path = self.folder / f"samples_step_{trainer.global_step}.png"
        figures.save(figure, path)
        log_picture(trainer.loggers, "samples", path, trainer.global_step)
