"""Initialise ActNorm before training starts."""

from pytorch_lightning import Callback, LightningModule, Trainer

from glow.data import ImageDataModule
from glow.lightning_module import GlowModule


class DataDependentInit(Callback):
    """Set the ActNorms of a new model from ``n_images`` training images, before the first step.

    It happens in ``setup``, on images that are the same in every process, so all processes compute
    the same values; a checkpoint to resume from is restored later and overrides them. Put it before
    any callback that copies the weights.

    Paper section 3.1; the reference takes 256 images.
    """

    def __init__(self, n_images: int = 256) -> None:
        self.n_images = n_images

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Initialise what is not initialised yet."""
        if stage != "fit":
            return
        data: object = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(pl_module, GlowModule) or not isinstance(data, ImageDataModule):
            raise TypeError(
                "DataDependentInit needs trainer.fit(GlowModule, datamodule=ImageDataModule), got "
                f"{type(pl_module).__name__} and {type(data).__name__}"
            )
        pl_module.model.initialize(*data.initialization_batch(self.n_images))
