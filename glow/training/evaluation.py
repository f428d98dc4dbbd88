"""The bits/dim of a checkpoint on a split, with everything on which the numbers depend."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from glow.checkpoint import holds_averages, load
from glow.data import ImageDataModule, SplitName
from glow.system.interruption import signals_raised, stop_at_signals
from glow.training.lightning_module import ImageFlowModule


@dataclass(frozen=True)
class Evaluation:
    """The bits/dim of a checkpoint.

    Args:
        result: Plain Python for a file. Its entry ``weights`` holds the means by kind of weights:
            ``averaged`` and ``raw`` for a checkpoint that holds averages, else ``raw``.
        per_image: Columns with the values of every image, in the order of the images.
    """

    result: dict[str, Any]
    per_image: dict[str, Tensor]

    @property
    def numbers(self) -> Mapping[str, Mapping[str, float]]:
        """The means, by kind of weights."""
        numbers: Mapping[str, Mapping[str, float]] = self.result["weights"]
        return numbers

    @property
    def unit(self) -> str:
        """The unit of bits/dim, which marks variational bounds."""
        return "bits/dim" if self.result["bound"] == "U" else f"bits/dim ({self.result['bound']})"

    @property
    def selected(self) -> Mapping[str, float]:
        """The means that count: of the averaged weights (EMA) if there are any, else of the raw."""
        return self.numbers.get("averaged", self.numbers["raw"])

    def write_per_image(self, path: Path) -> None:
        """Write a CSV file with one row per image, which starts with its index in the split."""
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["index", *self.per_image])
            columns = [values.tolist() for values in self.per_image.values()]
            writer.writerows([index, *row] for index, row in enumerate(zip(*columns, strict=True)))


class StopAtSignals(Callback):
    """Stop an evaluation at a signal, in place of Lightning.

    Lightning's handler waits for all processes, which wait for the one that got the signal.
    """

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Catch signals; Lightning restores the handlers in the end."""
        stop_at_signals()


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
    """Measure bits/dim on every image of a split, with raw and, if there are any, averaged weights.

    Any number of processes may share the images.

    Args:
        checkpoint: The checkpoint file.
        data: The images.
        trainer: The trainer that runs the evaluation.
        split: The split to evaluate.
        noise_samples: The number of draws of the noise per image; see ``ImageFlowModule``.
        allow_non_finite: Whether to count images without a finite likelihood instead of raising.
        trusted: Further packages that may provide parts of the model; see ``glow.load``.

    Returns:
        The means, and the values of every image.

    Raises:
        FloatingPointError: If an image has no finite likelihood, unless that is allowed.
    """
    numbers: dict[str, dict[str, float]] = {}
    per_image: dict[str, Tensor] = {}
    tested_split, data.tested_split = data.tested_split, split
    for kind in ("raw", "averaged") if holds_averages(checkpoint) else ("raw",):
        model = load(checkpoint, raw=kind == "raw", trusted=trusted)
        module = ImageFlowModule(
            model, noise_samples=noise_samples, allow_non_finite=allow_non_finite
        )
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        if not any(isinstance(callback, StopAtSignals) for callback in callbacks):
            callbacks.append(StopAtSignals())
        with signals_raised():
            [means] = trainer.test(module, datamodule=data, verbose=False)
        numbers[kind] = {name.removeprefix("test/"): value for name, value in means.items()}
        per_image |= {f"{name}_{kind}": values for name, values in module.per_image.items()}
    data.tested_split = tested_split
    result = {
        "checkpoint": checkpoint.name,
        "weights": numbers,
        "data": type(data).__name__,
        "split": split,
        "n_bits": model.dequantizer.n_bits,
        "image_shape": list(data.image_shape),
        "crop": getattr(data, "crop", None),
        "dequantization": model.dequantizer.name,
        "bound": model.dequantizer.bound,
        "noise_samples": noise_samples,
        "processes": trainer.world_size,
    }
    return Evaluation(result, per_image)
