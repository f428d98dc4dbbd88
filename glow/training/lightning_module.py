"""ImageFlowModule: what Lightning needs to train and evaluate a density over images. No maths."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.plugins import MixedPrecision
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.aggregation import CatMetric

from glow.bijections import drift, drops, full_precision
from glow.checkpoint import DESCRIPTION_KEY, describe
from glow.data import Batch, batches_done
from glow.likelihood import bits_per_dim, nats_per_bit, standard_normal_log_prob
from glow.models import ImageFlow
from glow.noise import dropout_per_step, noise_per_image, noise_per_step
from glow.training.compilation import compile_steps

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory = Callable[[Optimizer], LRScheduler]  # a schedule that advances once per step

PARTS = ("bits_per_dim", "latent_bits", "log_det_bits")  # the first is the sum of the others
TIGHTER = "tighter_bits_per_dim"


class ImageFlowModule(LightningModule):
    """Train an image flow by maximum likelihood.

    The loss is the mean bits/dim of a batch, plus the bits of a classifier in the top prior, if
    there is one.

    Training and evaluation log, in bits/dim: ``*/bits_per_dim`` and its two parts,
    ``*/latent_bits`` from ``log N(latents; 0, I)`` and ``*/log_det_bits`` from the
    log-determinant. ``train/drift`` is logged for a model with ``memory="reverse"``; see
    ``ReversibleChain``.

    Evaluation counts every image once, in any number of processes. It also logs another set of
    parts that add up to bits/dim, ``*/dequantization_bits`` and ``*/level_<l>_bits``. Testing also
    reports the standard error, the largest value and the number of images, and leaves the values of
    every image in ``per_image``.

    Args:
        model: The model.
        optimizer: A function of the parameters: a class of ``torch.optim`` or a partial of one.
        scheduler: A function of the optimizer, or None for a constant learning rate.
        compiled: Whether training compiles the steps of flow; see ``compile_steps``.
        noise_samples: The number of draws of the noise per image in evaluation, k. Above 1, all
            values are means over the draws, which bound the likelihood, and
            ``*/tighter_bits_per_dim`` is the tighter bound ``-log mean_k p_k(image)``.
        allow_non_finite: What testing does with an image without a finite likelihood. If False, it
            raises ``FloatingPointError``. If True, it counts such images in ``test/non_finite`` and
            logs the mean of the others as ``test/finite_bits_per_dim``; the mean of all is not
            finite either.

    Raises:
        ValueError: If ``noise_samples`` is less than 1.
    """

    def __init__(
        self,
        model: ImageFlow,
        optimizer: OptimizerFactory = torch.optim.Adamax,
        scheduler: SchedulerFactory | None = None,
        *,
        compiled: bool = False,
        noise_samples: int = 1,
        allow_non_finite: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.drops = drops(model)
        self.compiled = compiled
        self.optimizer_factory = optimizer
        self.scheduler_factory = scheduler
        if noise_samples < 1:
            raise ValueError(f"noise_samples must be at least 1, got {noise_samples}")
        self.noise_samples = noise_samples
        self.allow_non_finite = allow_non_finite
        levels = [f"level_{level}_bits" for level in range(1, len(model.latent_shapes) + 1)]
        self.columns = [*PARTS, "dequantization_bits", *levels]
        self.columns += [TIGHTER] if noise_samples > 1 else []
        self.per_image: dict[str, Tensor] = {}  # after a test, in the order of the images
        # One row per image, from all processes. It keeps NaNs, which this module reports.
        self.evaluated = CatMetric(nan_strategy="disable")

    def on_fit_start(self) -> None:
        """Compile the steps of flow, which are initialized by now."""
        if self.compiled:
            compile_steps(self.model)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch, in bits/dim."""
        images, labels = batch
        key = (torch.initial_seed(), self.global_rank, batches_done(self.trainer))
        noise = noise_per_step(images, *key)
        with dropout_per_step(images.device, *key) if self.drops else nullcontext():
            latents, log_det = self.model(images, labels, noise=noise)
        parts = self._parts(standard_normal_log_prob(latents), log_det)
        self.log_dict({f"train/{name}": bits.detach().mean() for name, bits in parts.items()})
        classification = self.model.classification_loss(latents, labels).mean() / math.log(2)
        return parts["bits_per_dim"].mean() + classification

    def on_after_backward(self) -> None:
        """Log by how much recomputed activations differ from the true ones."""
        largest = drift(self.model)
        if largest is not None:
            self.log("train/drift", largest)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect the bits/dim of every image, and its parts."""
        self._evaluate(batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Collect the bits/dim of every image, and its parts."""
        self._evaluate(batch)

    def on_validation_epoch_end(self) -> None:
        """Log the means over all images."""
        self._log_means("val")

    def on_test_epoch_end(self) -> None:
        """Log the means over all images, and what the means alone would hide."""
        self.per_image = self._log_means("test")
        bits = self.per_image["bits_per_dim"]
        finite = bits[bits.isfinite()]
        if lost := len(bits) - len(finite):
            if not self.allow_non_finite:
                raise FloatingPointError(
                    f"{lost} of {len(bits)} test images have no finite likelihood"
                )
            self.log("test/non_finite", float(lost), sync_dist=True)
            self.log("test/finite_bits_per_dim", finite.mean().item(), sync_dist=True)
        # Every process has gathered all values, so all of them log the same.
        if len(bits) > 1:
            standard_error = bits.std().item() / math.sqrt(len(bits))
            self.log("test/standard_error", standard_error, sync_dist=True)
        self.log("test/maximum", bits.max().item(), sync_dist=True)
        self.log("test/images", float(len(bits)), sync_dist=True)

    def _evaluate(self, batch: Batch) -> None:
        images, labels = batch
        with full_precision(images), torch.compiler.set_stance("force_eager"):
            rows = torch.stack(
                [self._row(images, labels, sample) for sample in range(self.noise_samples)]
            )
        values = rows.mean(0)
        if self.noise_samples > 1:
            per_bit = nats_per_bit(self.model.image_shape)
            nats = -rows[:, :, 0] * per_bit
            tighter = nats.logsumexp(0) - math.log(self.noise_samples)
            values = torch.cat([values, -tighter[:, None] / per_bit], dim=1)
        self.evaluated.update(values)

    def _row(self, images: Tensor, labels: Tensor, sample: int) -> Tensor:
        """Return all columns but the last for one draw of noise, (B,columns)."""
        noise = noise_per_image(images, sample)
        latents, log_dets = self.model.forward_by_level(images, labels, noise=noise)
        latent_log_probs = torch.stack([standard_normal_log_prob([eps]) for eps in latents])
        dequantization, *by_level = log_dets
        parts = self._parts(latent_log_probs.sum(0), torch.stack(log_dets).sum(0))
        summands = torch.stack([dequantization, *(latent_log_probs + torch.stack(by_level))])
        bits = bits_per_dim(summands, self.model.image_shape)
        return torch.stack([*parts.values(), *bits], dim=1)

    def _log_means(self, stage: str) -> dict[str, Tensor]:
        """Log the mean of every column; return the columns, float64, in the order of the images."""
        rows = torch.as_tensor(self.evaluated.compute()).cpu().double()
        self.evaluated.reset()
        # Process r has evaluated the images r, r + n, r + 2n, ...
        processes = range(self.trainer.world_size)
        order = torch.cat([torch.arange(r, len(rows), len(processes)) for r in processes])
        columns = dict(zip(self.columns, rows[order.argsort()].unbind(1), strict=True))
        for name, values in columns.items():
            self.log(f"{stage}/{name}", values.mean().item(), sync_dist=True)
        return columns

    def _parts(self, latent_log_prob: Tensor, log_det: Tensor) -> dict[str, Tensor]:
        shape = self.model.image_shape
        latent_bits = bits_per_dim(latent_log_prob, shape)
        log_det_bits = bits_per_dim(log_det, shape)
        both = latent_bits + log_det_bits
        return dict(zip(PARTS, (both, latent_bits, log_det_bits), strict=True))

    def configure_optimizers(self) -> Any:
        """Build the optimizer and the schedule, which advances once per step.

        A fused optimizer unscales the gradients of mixed precision by itself, too late to clip
        them, so that it is not fused if they are clipped.
        """
        factory: Callable[..., Optimizer] = self.optimizer_factory
        mixed = isinstance(self.trainer.precision_plugin, MixedPrecision)
        if mixed and self.trainer.gradient_clip_val and "fused" in getattr(factory, "keywords", {}):
            factory = partial(factory, fused=False)
        optimizer = factory(self.model.parameters())
        if self.scheduler_factory is None:
            return optimizer
        schedule = self.scheduler_factory(optimizer)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the description from which ``glow.load`` rebuilds the model.

        Lightning counts an epoch that ``max_steps`` or ``max_time`` cut short as done, so that a
        run which goes on would have one epoch less. Here it is not done.
        """
        checkpoint[DESCRIPTION_KEY] = describe(self.model)
        loop = checkpoint.get("loops", {}).get("fit_loop")
        if loop and not loop["epoch_loop.batch_progress"]["is_last_batch"]:
            for progress in loop["epoch_progress"].values():
                progress["processed"] = progress["completed"]
