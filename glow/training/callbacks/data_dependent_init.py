"""Initialize ActNorms before training starts."""

from pytorch_lightning import Callback, LightningModule, Trainer

from glow.data import ImageDataModule
from glow.training.lightning_module import ImageFlowModule


class DataDependentInit(Callback):
    """Set the ActNorms of a new model from training images, before the first step.

    This happens in ``setup``, with images that are the same in every process, so that all processes
    compute the same values. A checkpoint to resume from is restored later and overrides them. Put
    this before any callback that copies the weights.

    Paper section 3.1.

    Args:
        n_images: The number of training images; 256 in the reference.
    """

    def __init__(self, n_images: int = 256) -> None:
        self.n_images = n_images

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Initialize whatever is not initialized yet."""
        if stage != "fit":
            return
        data: object = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(pl_module, ImageFlowModule) or not isinstance(data, ImageDataModule):
            raise TypeError(
                "DataDependentInit needs trainer.fit(ImageFlowModule, datamodule=ImageDataModule), "
                f"got {type(pl_module).__name__} and {type(data).__name__}"
            )
        pl_module.model.initialize(*data.initialization_batch(self.n_images))
