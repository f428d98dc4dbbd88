"""GlowModule: what Lightning needs to know to train and evaluate a Glow. No maths of its own."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.aggregation import CatMetric

from glow.checkpoint import SPEC_KEY, describe
from glow.data import Batch, batches_done
from glow.layers import full_precision
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.model import Glow
from glow.noise import noise_like, noise_of
from glow.optim import anchors

OptimizerFactory = Callable[..., Optimizer]  # parameters -> optimizer
SchedulerFactory = Callable[..., LRScheduler]  # optimizer -> schedule, one tick a step

PARTS = ("bits_per_dim", "latent_bits", "log_det_bits")  # the first is the sum of the others
TIGHTER = "tighter_bits_per_dim"


class GlowModule(LightningModule):
    """Train a Glow by maximum likelihood.

    The loss is the mean bits/dim of a batch, plus the bits of the top prior's classifier where it
    has one. ``optimizer`` and ``scheduler`` are functions of the parameters and of the optimizer,
    classes of torch or partials of them. Where one takes ``anchors_per_step`` or ``total_steps``
    and leaves it open, it is told. With ``compiled`` the steps of flow are, for training alone
    (``MultiScaleFlow.compile_steps``).

    Logged, in bits/dim: ``*/bits_per_dim`` and its two parts, ``*/latent_bits`` from
    ``log N(latents; 0, I)`` and ``*/log_det_bits`` from the log-determinant; ``train/drift`` of a
    model whose memory is ``reverse`` (see ``Chain``).

    Evaluation counts every image once, in any number of processes. It logs, as another sum that
    bits/dim is, ``*/dequantization_bits`` and ``*/level_<l>_bits``. Testing reports the standard
    error, the largest value and the number of images besides, keeps the values of every image in
    ``per_image``, and raises ``FloatingPointError`` where a value is not finite; with
    ``allow_non_finite`` it counts them, in ``test/non_finite``, and gives the mean of the others
    as ``test/finite_bits_per_dim`` beside that of all, which is not finite either.

    With ``noise_samples`` k above 1, all of these are means over k draws of the noise of
    dequantization, which bound the likelihood; ``*/tighter_bits_per_dim`` is the tighter bound
    ``-log mean_k p_k(image)``.
    """

    def __init__(
        self,
        model: Glow,
        optimizer: OptimizerFactory = torch.optim.Adamax,
        scheduler: SchedulerFactory | None = None,
        *,
        compiled: bool = False,
        noise_samples: int = 1,
        allow_non_finite: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.compiled = compiled
        self.optimizer_factory = optimizer
        self.scheduler_factory = scheduler
        if noise_samples < 1:
            raise ValueError(f"noise_samples must be at least 1, got {noise_samples}")
        self.noise_samples = noise_samples
        self.allow_non_finite = allow_non_finite
        levels = [f"level_{level}_bits" for level in range(1, len(model.flow.latent_shapes) + 1)]
        self.columns = [*PARTS, "dequantization_bits", *levels]
        self.columns += [TIGHTER] if noise_samples > 1 else []
        self.per_image: dict[str, Tensor] = {}  # after a test, in the order of the images
        # One row per image, from all processes; non-finite ones are ours to report.
        self.evaluated = CatMetric(nan_strategy="disable")

    def on_fit_start(self) -> None:
        """Compile the steps, whose ActNorms have been set by now."""
        if self.compiled:
            self.model.flow.compile_steps()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        images, labels = batch
        key = (torch.initial_seed(), self.global_rank, batches_done(self.trainer))
        latents, log_det = self.model(images, labels, noise=noise_like(images, *key))
        parts = self._parts(standard_normal_log_prob(latents), log_det)
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
        # Every process has gathered all values, and finds the same.
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
            nats = -rows[:, :, 0] * self._nats_per_bit
            tighter = nats.logsumexp(0) - math.log(self.noise_samples)
            values = torch.cat([values, -tighter[:, None] / self._nats_per_bit], dim=1)
        self.evaluated.update(values)

    def _row(self, images: Tensor, labels: Tensor, sample: int) -> Tensor:
        """Return the columns of every image but the last, (B, columns), for one draw of noise."""
        noise = noise_of(images, sample)
        latents, log_dets = self.model.forward_by_level(images, labels, noise=noise)
        latent_log_probs = torch.stack([standard_normal_log_prob([eps]) for eps in latents])
        dequantization, *of_levels = log_dets
        parts = self._parts(latent_log_probs.sum(0), torch.stack(log_dets).sum(0))
        adding_up = torch.stack([dequantization, *(latent_log_probs + torch.stack(of_levels))])
        bits = bits_per_dim(adding_up, self.model.image_shape)
        return torch.stack([*parts.values(), *bits], dim=1)

    @property
    def _nats_per_bit(self) -> float:
        """Of an image: what one bit/dim is, in nats."""
        return math.prod(self.model.image_shape) * math.log(2)

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
        """Build optimizer and schedule; the schedule ticks once a step."""
        trainer = self.trainer
        trainer.fit_loop.setup_data()  # so that the batches of an epoch are counted
        loader: Any = trainer.train_dataloader
        images_per_step = loader.batch_size * trainer.world_size * trainer.accumulate_grad_batches
        facts = {
            "total_steps": trainer.estimated_stepping_batches,
            "anchors_per_step": anchors(images_per_step, *self.model.image_shape[1:]),
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


def _call(factory: Callable[..., Any], argument: Any, facts: dict[str, Any]) -> Any:
    given = factory.keywords if isinstance(factory, functools.partial) else {}
    open_ones = inspect.signature(factory).parameters.keys() - given.keys()
    return factory(argument, **{name: facts[name] for name in facts.keys() & open_ones})
