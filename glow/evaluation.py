"""What a checkpoint is worth on a split: numbers that name all that they depend on."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor

import glow
from glow.checkpoint import holds_averages
from glow.data import ImageDataModule, SplitName
from glow.lightning_module import GlowModule
from glow.provenance import device_name, provenance


@dataclass(frozen=True)
class Evaluation:
    """The bits/dim of a checkpoint: ``result``, plain Python for a file, and those of every image.

    ``result`` holds means by the weights they are of: ``averaged`` and ``raw`` for a checkpoint
    that has both, else ``raw``. ``per_image`` holds columns, in the order of the images.
    """

    result: dict[str, Any]
    per_image: dict[str, Tensor]

    @property
    def numbers(self) -> Mapping[str, Mapping[str, float]]:
        """The numbers of ``result``, by the weights they are of."""
        numbers: Mapping[str, Mapping[str, float]] = self.result["weights"]
        return numbers

    def write_per_image(self, path: Path) -> None:
        """Write one row for each image, with its index in the split."""
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["index", *self.per_image])
            columns = [values.tolist() for values in self.per_image.values()]
            writer.writerows([index, *row] for index, row in enumerate(zip(*columns, strict=True)))


def evaluate(
    checkpoint: Path,
    data: ImageDataModule,
    trainer: Trainer,
    *,
    split: SplitName = "test",
    noise_samples: int = 1,
    allow_non_finite: bool = False,
    trusted: Sequence[str] = (),
) -> Evaluation:
    """Measure bits/dim on every image of a split, once, with all weights that a checkpoint holds.

    Any number of processes may share the images. ``noise_samples`` and ``allow_non_finite`` are as
    in ``GlowModule``. Raises ``FloatingPointError`` where an image has no finite likelihood, unless
    that is allowed.
    """
    numbers: dict[str, dict[str, float]] = {}
    per_image: dict[str, Tensor] = {}
    data.tested_split = split
    for kind in ("raw", "averaged") if holds_averages(checkpoint) else ("raw",):
        model = glow.load(checkpoint, raw=kind == "raw", trusted=trusted)
        module = GlowModule(model, noise_samples=noise_samples, allow_non_finite=allow_non_finite)
        [means] = trainer.test(module, datamodule=data, verbose=False)
        numbers[kind] = {name.removeprefix("test/"): value for name, value in means.items()}
        per_image |= {f"{name}_{kind}": values for name, values in module.per_image.items()}
    result = {
        "checkpoint": checkpoint.name,
        "weights": numbers,
        "data": type(data).__name__,
        "split": split,
        "n_bits": data.n_bits,
        "image_shape": list(data.image_shape),
        "crop": getattr(data, "crop", None),
        "dequantization": "uniform",
        "noise_samples": noise_samples,
        "processes": trainer.world_size,
        "device": device_name(trainer.strategy.root_device),
        **provenance(),
    }
    return Evaluation(result, per_image)
