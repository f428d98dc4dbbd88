"""Watch whether the model can be inverted."""

import warnings
from dataclasses import asdict

from pytorch_lightning import Callback, LightningModule, Trainer

from glow.analysis.health import health
from glow.data import ImageDataModule
from glow.training.lightning_module import ImageFlowModule


class InverseHealth(Callback):
    """Log ``val/round_trip_error``, ``val/smallest_scale`` and others, and warn if one is bad.

    bits/dim alone does not show that a model can no longer be inverted. The weights are those that
    are validated; put this before the callback that averages. See ``glow.analysis.health``.

    Args:
        n_images: The number of validation images, and of samples.

    Raises:
        ValueError: If ``n_images`` is less than 1.
    """

    def __init__(self, n_images: int = 16) -> None:
        if n_images < 1:
            raise ValueError(f"n_images must be at least 1, got {n_images}")
        self.n_images = n_images

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure; every process does, on the same images."""
        data: object = trainer.datamodule  # type: ignore[attr-defined]
        if trainer.sanity_checking or not isinstance(data, ImageDataModule):
            return
        assert isinstance(pl_module, ImageFlowModule)
        dataset = data.dataset("val")
        images, labels = dataset[: min(self.n_images, len(dataset))]
        measured = health(pl_module.model, images.to(pl_module.device), labels.to(pl_module.device))
        for name, value in asdict(measured).items():
            pl_module.log(f"val/{name}", value, sync_dist=True)
        if trainer.is_global_zero:
            for warning in measured.warnings():
                warnings.warn(f"step {trainer.global_step}: {warning}", stacklevel=2)
