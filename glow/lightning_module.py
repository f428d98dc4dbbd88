"""GlowModule: what Lightning needs to know to train and evaluate a Glow. No maths of its own."""

from __future__ import annotations

import functools
import inspect
import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.aggregation import CatMetric

from glow.checkpoint import SPEC_KEY, describe
from glow.data import Batch, batches_done
from glow.layers import full_precision
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.model import Glow

OptimizerFactory = Callable[..., Optimizer]  # parameters -> optimizer
SchedulerFactory = Callable[..., LRScheduler]  # optimizer -> schedule, one tick a step

PARTS = ("bits_per_dim", "latent_bits", "log_det_bits")  # the first is the sum of the others


class GlowModule(LightningModule):
    """Train a Glow by maximum likelihood.

    The loss is the mean bits/dim of a batch, plus the bits of the top prior's classifier where it
    has one. ``optimizer`` and ``scheduler`` are functions of the parameters and of the optimizer,
    classes of torch or partials of them. Where one takes ``steps_per_epoch`` or ``total_steps`` and
    leaves it open, it is told. With ``compiled`` the steps of flow are, for training alone
    (``MultiScaleFlow.compile_steps``).

    Logged, in bits/dim: ``*/bits_per_dim`` and its two parts, ``*/latent_bits`` from
    ``log N(latents; 0, I)`` and ``*/log_det_bits`` from the log-determinant; ``train/drift`` of a
    model whose memory is ``reverse`` (see ``Chain``). Testing reports the
    mean over images with its standard error, the largest value and the number of images, and raises
    ``FloatingPointError`` where a value is not finite.
    """

    def __init__(
        self,
        model: Glow,
        optimizer: OptimizerFactory = torch.optim.Adamax,
        scheduler: SchedulerFactory | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.compiled = compiled
        self.optimizer_factory = optimizer
        self.scheduler_factory = scheduler
        # One value per image, from all processes; non-finite ones are ours to report.
        self.evaluated = nn.ModuleDict({name: CatMetric(nan_strategy="disable") for name in PARTS})

    def on_fit_start(self) -> None:
        """Compile the steps, whose ActNorms have been set by now."""
        if self.compiled:
            self.model.flow.compile_steps()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        images, labels = batch
        key = (torch.initial_seed(), self.global_rank, batches_done(self.trainer))
        latents, log_det = self.model(images, labels, noise=noise_like(images, *key))
        parts = self._parts(latents, log_det)
        self.log_dict({f"train/{name}": bits.detach().mean() for name, bits in parts.items()})
        classification = self.model.classification_loss(latents, labels).mean() / math.log(2)
        return parts["bits_per_dim"].mean() + classification

    def on_after_backward(self) -> None:
        """Log how far activations that were recomputed have drifted from the true ones."""
        drift = self.model.flow.drift
        if drift is not None:
            self.log("train/drift", drift)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the bits/dim of every image, and its parts."""
        self._evaluate(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the bits/dim of every image, and its parts."""
        self._evaluate(batch)

    def on_validation_epoch_end(self) -> None:
        """Log the means over all images."""
        self._log_means("val")

    def on_test_epoch_end(self) -> None:
        """Log the means over all images, and what they alone would hide."""
        bits = self._log_means("test")
        lost = int((~bits.isfinite()).sum())
        if lost:
            raise FloatingPointError(f"{lost} of {len(bits)} test images have no finite likelihood")
        # Every process has gathered all values, and finds the same.
        if len(bits) > 1:
            standard_error = bits.std().item() / math.sqrt(len(bits))
            self.log("test/standard_error", standard_error, sync_dist=True)
        self.log("test/maximum", bits.max().item(), sync_dist=True)
        self.log("test/images", float(len(bits)), sync_dist=True)

    def _evaluate(self, batch: Batch) -> None:
        images, labels = batch
        with full_precision(images), torch.compiler.set_stance("force_eager"):
            parts = self._parts(*self.model(images, labels, noise=noise_of(images)))
        for name, bits in parts.items():
            self.evaluated[name].update(bits)  # type: ignore[operator]

    def _log_means(self, stage: str) -> Tensor:
        """Log the mean of every part; return the bits/dim of every image, float64."""
        values = {}
        for name, metric in self.evaluated.items():
            values[name] = torch.as_tensor(metric.compute()).cpu().double().flatten()  # type: ignore[operator]
            metric.reset()  # type: ignore[operator]
            self.log(f"{stage}/{name}", values[name].mean().item(), sync_dist=True)
        return values["bits_per_dim"]

    def _parts(self, latents: tuple[Tensor, ...], log_det: Tensor) -> dict[str, Tensor]:
        shape = self.model.image_shape
        latent_bits = bits_per_dim(standard_normal_log_prob(latents), shape)
        log_det_bits = bits_per_dim(log_det, shape)
        both = latent_bits + log_det_bits
        return dict(zip(PARTS, (both, latent_bits, log_det_bits), strict=True))

    def configure_optimizers(self) -> Any:
        """Build optimizer and schedule; the schedule ticks once a step."""
        trainer = self.trainer
        trainer.fit_loop.setup_data()  # so that the batches of an epoch are counted
        facts = {
            "total_steps": trainer.estimated_stepping_batches,
            "steps_per_epoch": math.ceil(
                trainer.num_training_batches / trainer.accumulate_grad_batches
            ),
        }
        # Made before a run to resume is restored: its workers would start at the wrong batch.
        trainer.fit_loop._combined_loader = None
        optimizer = _call(self.optimizer_factory, self.model.parameters(), facts)
        if self.scheduler_factory is None:
            return optimizer
        schedule = _call(self.scheduler_factory, optimizer, facts)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the description from which ``glow.load`` rebuilds the model."""
        checkpoint[SPEC_KEY] = describe(self.model)


def noise_like(images: Tensor, *key: int) -> Tensor:
    """Return noise of the images' shape, uniform in [0, 1), that depends on the key alone.

    With the batch's number in the key, a resumed run meets the noise that it would have met without
    the break.
    """
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    generator = torch.Generator(images.device).manual_seed(seed)
    return torch.rand(images.shape, device=images.device, generator=generator)


def noise_of(images: Tensor) -> Tensor:
    """Return noise of the images' shape, uniform in [0, 1), of which each image determines its own.

    So an evaluation gives the same value whenever, and in whatever batches and processes it runs.
    """
    seeds = [zlib.crc32(image.numpy().tobytes()) for image in images.cpu()]
    shares = [
        torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(s)) for s in seeds
    ]
    return torch.stack(shares).to(images.device)


def _call(factory: Callable[..., Any], argument: Any, facts: dict[str, Any]) -> Any:
    given = factory.keywords if isinstance(factory, functools.partial) else {}
    open_ones = inspect.signature(factory).parameters.keys() - given.keys()
    return factory(argument, **{name: facts[name] for name in facts.keys() & open_ones})
