"""Train and test on N processes: python distributed_training.py FOLDER N. Each records what it saw.

Lightning starts the other processes by running this file again.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer, seed_everything

import glow
from glow.data import Digits, ImageDataset
from glow.training import ImageFlowModule
from glow.training.callbacks import DataDependentInit
from tests.small_models import affine, variational


class Witness(Callback):
    """Keep the weights before the first exchange, the batches, the first gradient, and the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: dict[str, Any] = {"images": []}

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        self.seen["start"] = {k: v.clone() for k, v in pl_module.model.state_dict().items()}

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, *_: Any) -> None:
        self.seen["images"].append(batch[0])

    def on_after_backward(self, trainer: Trainer, pl_module: Any) -> None:
        if "gradient" not in self.seen:
            named = pl_module.model.named_parameters()
            self.seen["gradient"] = {k: p.grad.clone() for k, p in named}

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        self.seen["end"] = pl_module.model.state_dict()
        torch.save(self.seen, self.folder / f"rank_{trainer.global_rank}.pt")


def small_model(**options: Any) -> glow.Glow:
    """Return a model of the digits, whose noise is learned."""
    dequantizer = partial(variational, image_shape=(1, 8, 8))
    small = partial(glow.Glow, (1, 8, 8), n_bits=5, n_levels=2, n_steps=1, coupling=affine)
    return small(dequantizer=dequantizer, **options)


def main(folder: Path, n_processes: int) -> None:
    seed_everything(0, verbose=False)
    model = small_model(memory="reverse")
    trainer = Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        devices=n_processes,
        strategy="ddp",
        max_epochs=1,
        callbacks=[DataDependentInit(), Witness(folder)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
    )
    module = ImageFlowModule(model, partial(torch.optim.Adamax, lr=0.01))
    data = Digits(batch_size=64 // n_processes, eval_batch_size=40)
    trainer.fit(module, datamodule=data)
    keep_an_odd_number_of_test_images(data)
    [result] = trainer.test(module, datamodule=data, verbose=False)
    if trainer.is_global_zero:
        glow.save(model, folder / "model.pt")
        (folder / "test.json").write_text(json.dumps(result))


def keep_an_odd_number_of_test_images(data: Digits) -> None:
    data.setup("test")
    data.datasets["test"] = ImageDataset(*data.datasets["test"][:299])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
