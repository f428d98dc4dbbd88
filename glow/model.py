"""Glow: a density over uint8 images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glow.flow import LayerFactory, MultiScaleFlow, TopFactory
from glow.latents import Latents
from glow.layers import (
    AffineCoupling,
    Dequantize,
    LearnedPrior,
    LUInvertibleConv,
    Memory,
    data_dependent_init,
    full_precision,
)
from glow.likelihood import bits_per_dim, standard_normal_log_prob


class Glow(nn.Module):
    r"""The model of the paper: uint8 images, dequantized, through the multi-scale flow.

    ``log p(image) = log N(latents; 0, I) + log_det``, in nats; by the noise of dequantization it is
    a lower bound in expectation. L is ``n_levels`` and K is ``n_steps``. ``permutation``,
    ``coupling`` and ``top`` are functions of a number of channels that build a layer: classes of
    ``glow.layers``, or ``functools.partial`` of them where an argument is to differ, e.g.
    ``coupling=partial(AffineCoupling, net=partial(CouplingNet, width=128))``.

    ``memory`` is what training keeps of a level's steps for the backward pass: see ``Chain``.

    A new model must meet its data before it trains: see ``initialize``. Models without classes
    ignore labels.

    Raises ``ValueError`` at construction where height or width is not divisible by ``2^L``, or
    ``n_bits`` is not from 1 to 8.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_bits: int = 8,
        n_levels: int = 3,
        n_steps: int = 32,
        permutation: LayerFactory = LUInvertibleConv,
        coupling: LayerFactory = AffineCoupling,
        top: TopFactory = LearnedPrior,
        memory: Memory = "keep",
    ) -> None:
        super().__init__()
        if len(image_shape) != 3 or min(image_shape) < 1:
            raise ValueError(
                f"image_shape must be (channels, height, width), each at least 1, got {image_shape}"
            )
        self.image_shape = tuple(image_shape)
        self.config = {
            "image_shape": list(image_shape),
            "n_bits": n_bits,
            "n_levels": n_levels,
            "n_steps": n_steps,
            "permutation": permutation,
            "coupling": coupling,
            "top": top,
            "memory": memory,
        }
        self.dequantize = Dequantize(n_bits)
        self.flow = MultiScaleFlow(
            image_shape, n_levels, n_steps, permutation, coupling, top, memory
        )

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the flow's state: that of the parameters."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def n_classes(self) -> int:
        """The number of classes that labels choose from; 0 where the model ignores labels."""
        return self.flow.top.n_classes

    def forward(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> tuple[Latents, Tensor]:
        """Map uint8 images (B,C,H,W), given labels (B,), to latents and log_det (B,), in nats.

        This is what training differentiates. The noise of dequantization, uniform in [0, 1) and of
        the images' shape, is drawn afresh unless it is given. Under autocast the coupling networks,
        and nothing else, run in the lower precision.
        """
        latents, log_dets = self.forward_by_level(images, labels, noise=noise)
        return latents, torch.stack(log_dets).sum(0)

    def forward_by_level(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> tuple[Latents, list[Tensor]]:
        """Do the same, with log_det in 1 + L parts (B,): of dequantization, then of every level."""
        self._check(images)
        noise = torch.rand(images.shape, device=images.device) if noise is None else noise
        x, log_det = self.dequantize(images, noise.to(self.dtype))
        latents, log_dets = self.flow.forward_by_level(x, labels)
        return latents, [log_det, *log_dets]

    def log_prob(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> Tensor:
        """Return log p(image), in nats, (B,), of uint8 images (B,C,H,W), given labels (B,).

        The noise is as in ``forward``; the precision is full even under autocast.
        """
        with full_precision(images):
            latents, log_det = self(images, labels, noise=noise)
            return standard_normal_log_prob(latents) + log_det

    def class_log_probs(self, images: Tensor, *, noise: Tensor | None = None) -> Tensor:
        """Return ``log p(image | class)`` of all classes, in nats, (B, n_classes).

        Only the top prior looks at the class, so that the flow below it runs once. Raises
        ``ValueError`` for a model without classes.
        """
        if not self.n_classes:
            raise ValueError("this model has no classes")
        top = self.flow.top
        first = torch.zeros(len(images), dtype=torch.long, device=images.device)
        with full_precision(images):
            latents, log_det = self(images, first, noise=noise)
            z = top.inverse(latents[-1], first)
            of_top = []
            for label in range(self.n_classes):
                eps, top_log_det = top(z, first + label)
                of_top.append(standard_normal_log_prob([eps]) + top_log_det)
            below = standard_normal_log_prob(latents) + log_det - of_top[0]
            return below[:, None] + torch.stack(of_top, dim=1)

    def bits_per_dim(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> Tensor:
        """Return ``-log p(image) / (C*H*W * log 2)``, (B,); see ``log_prob``."""
        return bits_per_dim(self.log_prob(images, labels, noise=noise), self.image_shape)

    @torch.no_grad()
    def encode(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> Latents:
        """Map uint8 images (B,C,H,W), given labels (B,), to their latents.

        Without noise every pixel stands in the middle of its bin, so that the result is always the
        same and ``decode`` gives back the very images (of which ``n_bits`` are kept).
        """
        noise = torch.full(images.shape, 0.5, device=images.device) if noise is None else noise
        with full_precision(images):
            latents, _ = self(images, labels, noise=noise)
        return latents

    @torch.no_grad()
    def decode(self, latents: Sequence[Tensor], labels: Tensor | None = None) -> Tensor:
        """Map latents, finest first, given labels (B,), to uint8 images (B,C,H,W).

        Images that the flow could not compute in float32 are warned of, and come out black.
        """
        with full_precision(latents[0]):
            x = self.flow.inverse(latents, labels)
        lost = int((~x.isfinite()).flatten(1).any(1).sum())
        if lost:
            warnings.warn(
                f"{lost} of {len(x)} images are not finite; a lower temperature or a model with "
                "floored_sigmoid scales samples more stably",
                stacklevel=3,
            )
            x = x.nan_to_num(nan=-1.0)
        return self.dequantize.inverse(x)

    def sample(
        self,
        n: int,
        temperature: float | Sequence[float] = 1.0,
        labels: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw n images, uint8 (n,C,H,W), given labels (n,); see ``sample_latents``."""
        return self.decode(self.sample_latents(n, temperature, generator), labels)

    @torch.no_grad()
    def sample_latents(
        self,
        n: int,
        temperature: float | Sequence[float] = 1.0,
        generator: torch.Generator | None = None,
    ) -> Latents:
        """Draw the latents of n images from N(0, temperature^2 I).

        The temperature is one for all levels or one per level, finest first. Paper section 6.1
        samples at 0.7; for additive couplings that is sampling from p(x)^(1 / temperature^2).

        The images are drawn one after the other: the i-th from a generator is the same one however
        many are drawn at a time.
        """
        shapes = self.flow.latent_shapes
        per_level = (
            [temperature] * len(shapes)
            if isinstance(temperature, int | float)
            else list(temperature)
        )
        if len(per_level) != len(shapes) or not all(
            isinstance(t, int | float) and 0 <= t < math.inf for t in per_level
        ):
            raise ValueError(
                f"temperature must be at least 0, one number or one for each of the {len(shapes)} "
                f"levels, got {temperature}"
            )
        device = self.device if generator is None else generator.device
        vectors = torch.empty(n, math.prod(self.image_shape), dtype=self.dtype, device=device)
        for vector in vectors:
            vector.normal_(generator=generator)
        latents = Latents.unflatten(vectors.to(self.device), shapes)
        return Latents(t * eps for t, eps in zip(per_level, latents, strict=True))

    def classification_loss(self, latents: Latents, labels: Tensor | None) -> Tensor:
        """Return what the top prior's classifier adds to the training loss, (B,), in nats.

        It is 0 for every prior but a ``ClassConditionalPrior`` with a ``classification_weight``.
        """
        return self.flow.top.classification_loss(latents[-1], labels)

    def initialize(self, images: Tensor, labels: Tensor | None = None) -> None:
        """Set the ActNorms that are not yet initialised from uint8 images (B,C,H,W).

        Once, before training, on a batch that represents the data; the reference takes 256 images.
        Paper section 3.1.
        """
        with data_dependent_init(self):
            self.log_prob(images, labels)

    def _check(self, images: Tensor) -> None:
        if self.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"a Glow computes in float32 or float64, not in {self.dtype}, which would round "
                "its likelihood; for speed run float32 weights under autocast (bf16-mixed)"
            )
        if images.ndim != 4 or tuple(images.shape[1:]) != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise ValueError(
                f"this model's images have the shape (B, {expected}), got {tuple(images.shape)}"
            )
