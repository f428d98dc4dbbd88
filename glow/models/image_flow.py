"""ImageFlow: a density over uint8 images."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from glow.bijections import ActNorm, freeze, full_precision
from glow.dequantizers import Dequantizer
from glow.latents import Latents
from glow.likelihood import bits_per_dim, standard_normal_log_prob
from glow.models.multi_scale_flow import MultiScaleFlow
from glow.nets import LabelEmbedding


class ImageFlow(nn.Module):
    r"""A density over uint8 images: a dequantizer and a flow.

    ``log p(image) = log N(latents; 0, I) + log_det``, in nats, where ``log_det`` is that of the
    dequantizer and of the flow. Because of the noise of dequantization it is a lower bound in
    expectation. ``Glow(...)`` builds one way to be such a density.

    Args:
        image_shape: The shape (C,H,W) of an image.
        dequantizer: From uint8 images to continuous ones, and back.
        flow: From continuous images to latents, and back.
        config: The keyword arguments with which the class of the model builds this model again,
            for checkpoints; None for a model that cannot be saved.

    Raises:
        ValueError: If parts of the flow disagree about the number of classes.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        dequantizer: Dequantizer,
        flow: MultiScaleFlow,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.dequantizer = dequantizer
        self.flow = flow
        self.config = None if config is None else dict(config)
        embeddings = [m for m in flow.modules() if isinstance(m, LabelEmbedding)]
        numbers = {embedding.n_classes for embedding in embeddings}
        if len(numbers) > 1:
            raise ValueError(
                f"all parts of a model must have the same number of classes, got {sorted(numbers)}"
            )
        self._n_classes = max(numbers, default=0)

    @property
    def n_classes(self) -> int:
        """The number of classes that labels choose from; 0 if the model ignores labels."""
        return self._n_classes

    @property
    def latent_shapes(self) -> list[tuple[int, ...]]:
        """The shape (C_l,H_l,W_l) of every latent, finest first."""
        return self.flow.latent_shapes

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the flow's state, which is that of its parameters."""
        return next(t.dtype for t in self._tensors() if t.is_floating_point())

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self._tensors()).device

    def forward(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> tuple[Latents, Tensor]:
        """Map images to latents and ``log_det``: what training differentiates.

        Under autocast, the networks inside the couplings, and nothing else, run in the lower
        precision.

        Args:
            images: uint8 (B,C,H,W).
            labels: Class labels (B,), if the model has classes.
            noise: The noise of dequantization, uniform in [0, 1) and of the shape of the images;
                None draws it.

        Returns:
            The latents and ``log_det`` (B,), in nats.

        Raises:
            ValueError: If the images are not uint8 or of another shape.
        """
        latents, log_dets = self.forward_by_level(images, labels, noise=noise)
        return latents, torch.stack(log_dets).sum(0)

    def forward_by_level(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> tuple[Latents, list[Tensor]]:
        """Map images to latents and 1 + L parts of ``log_det`` (B,): dequantizer and levels.

        Arguments and errors are those of ``forward``.
        """
        self._check(images)
        noise = torch.rand(images.shape, device=images.device) if noise is None else noise
        x, log_det = self.dequantizer(images, noise.to(self.dtype))
        latents, log_dets = self.flow.forward_by_level(x, labels)
        return latents, [log_det, *log_dets]

    def log_prob(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> Tensor:
        """Return log p(image), in full precision even under autocast.

        Args:
            images: uint8 (B,C,H,W).
            labels: Class labels (B,), if the model has classes.
            noise: The noise of dequantization, as in ``forward``.

        Returns:
            Log-probabilities (B,), in nats.
        """
        self._warn_unless_initialized()
        with full_precision(images):
            latents, log_det = self(images, labels, noise=noise)
            return standard_normal_log_prob(latents) + log_det

    def bits_per_dim(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> Tensor:
        """Return ``-log p(image) / (C*H*W * log 2)``, (B,); the arguments are ``log_prob``'s."""
        return bits_per_dim(self.log_prob(images, labels, noise=noise), self.image_shape)

    def class_log_probs(self, images: Tensor, *, noise: Tensor | None = None) -> Tensor:
        """Return ``log p(image | class)`` for every class.

        The levels run once if only the top prior sees the class, as in the paper.

        Args:
            images: uint8 (B,C,H,W).
            noise: The noise of dequantization, as in ``forward``.

        Returns:
            Log-probabilities (B,n_classes), in nats.

        Raises:
            ValueError: If the model has no classes.
        """
        if not self.n_classes:
            raise ValueError("this model has no classes")
        first = torch.zeros(len(images), dtype=torch.long, device=images.device)
        noise = torch.rand(images.shape, device=images.device) if noise is None else noise
        below_top = [*self.flow.levels.modules(), *self.flow.splits.modules()]
        if any(isinstance(module, LabelEmbedding) for module in below_top):
            of_classes = [
                self.log_prob(images, first + label, noise=noise) for label in range(self.n_classes)
            ]
            return torch.stack(of_classes, dim=1)
        top = self.flow.top
        with full_precision(images):
            latents, log_det = self(images, first, noise=noise)
            z = top.inverse(latents[-1], first)
            of_top = []
            for label in range(self.n_classes):
                eps, top_log_det = top(z, first + label)
                of_top.append(standard_normal_log_prob([eps]) + top_log_det)
            below = standard_normal_log_prob(latents) + log_det - of_top[0]
            return below[:, None] + torch.stack(of_top, dim=1)

    @torch.no_grad()
    def encode(
        self, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
    ) -> Latents:
        """Map images to their latents.

        Without noise every pixel is placed in the middle of its bin, so the result is always the
        same, and ``decode`` returns the same images (with the upper ``n_bits`` of each pixel).

        Args:
            images: uint8 (B,C,H,W).
            labels: Class labels (B,), if the model has classes.
            noise: The noise of dequantization, or None.

        Returns:
            One tensor (B,C_l,H_l,W_l) per level, finest first, each N(0, 1) under the model.
        """
        self._warn_unless_initialized()
        with full_precision(images):
            if noise is not None:
                return self(images, labels, noise=noise)[0]
            self._check(images)
            latents, _ = self.flow(self.dequantizer.center(images, self.dtype), labels)
        return latents

    @torch.no_grad()
    def decode(self, latents: Sequence[Tensor], labels: Tensor | None = None) -> Tensor:
        """Map latents to images.

        Warns about images with values that are not finite, and returns them black.

        Args:
            latents: One tensor (B,C_l,H_l,W_l) per level, finest first.
            labels: Class labels (B,), if the model has classes.

        Returns:
            uint8 images (B,C,H,W).

        Raises:
            ValueError: If the latents have other shapes than those of this model.
        """
        self._warn_unless_initialized()
        with full_precision(latents[0]):
            x = self.flow.inverse(latents, labels)
        finite = x.isfinite().flatten(1).all(1)
        if not finite.all():
            warnings.warn(
                f"{int((~finite).sum())} of {len(x)} images are not finite; a lower temperature or "
                "a model with floored_sigmoid scales samples more stably",
                stacklevel=3,
            )
            x = torch.where(finite[:, None, None, None], x, -1.0)
        return self.dequantizer.inverse(x)

    def sample(
        self,
        n: int,
        temperature: float | Sequence[float] = 1.0,
        labels: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw images; see ``sample_latents``.

        Args:
            n: The number of images.
            temperature: One number for all levels, or one per level, finest first.
            labels: Class labels (n,), if the model has classes.
            generator: The source of randomness.

        Returns:
            uint8 images (n,C,H,W).
        """
        return self.decode(self.sample_latents(n, temperature, generator), labels)

    @torch.no_grad()
    def sample_latents(
        self,
        n: int,
        temperature: float | Sequence[float] = 1.0,
        generator: torch.Generator | None = None,
    ) -> Latents:
        """Draw the latents of n images from N(0, temperature^2 I).

        Paper section 6.1 uses a temperature of 0.7; for additive couplings that is sampling from
        p(x)^(1 / temperature^2). Images are drawn one after the other, so the i-th image of a
        generator does not depend on how many are drawn at once.

        Args:
            n: The number of images.
            temperature: One number for all levels, or one per level, finest first.
            generator: The source of randomness.

        Returns:
            One tensor (n,C_l,H_l,W_l) per level, finest first.

        Raises:
            ValueError: If a temperature is negative or not finite, or their number is wrong.
        """
        shapes = self.latent_shapes
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
        """Return what a classifier in the top prior adds to the training loss, (B,), in nats.

        It is 0 for every prior but a ``ClassConditionalPrior`` with a ``classification_weight``.

        Args:
            latents: What ``forward`` returned.
            labels: Class labels (B,), or None.
        """
        return self.flow.top.classification_loss(latents[-1], labels)

    @torch.no_grad()
    def initialize(self, images: Tensor, labels: Tensor | None = None) -> None:
        """Set the ActNorms that are not initialized yet, from data.

        Do this once, before training, on a batch that represents the data; the reference takes 256
        images. Paper section 3.1.

        Args:
            images: uint8 (B,C,H,W).
            labels: Class labels (B,), if the model has classes.

        Raises:
            RuntimeError: If an ActNorm was not reached, because a part with ActNorms inside does
                not hand ``initialize`` on to them.
        """
        self._check(images)
        noise = torch.rand(images.shape, device=images.device).to(self.dtype)
        with full_precision(images):
            x = self.dequantizer.initialize(images, noise)
            self.flow.initialize(x, labels)
        for name, module in self.named_modules():
            if isinstance(module, ActNorm) and not module.initialized:
                raise RuntimeError(
                    f"{name} was not initialized: the part that contains it must hand "
                    "initialize on to it (see Bijection.initialize)"
                )

    @property
    def initialized(self) -> bool:
        """Whether all ActNorms have been set, by ``initialize`` or from a checkpoint."""
        flags = [m.initialized for m in self.modules() if isinstance(m, ActNorm)]
        return bool(torch.stack(flags).all()) if flags else True

    def frozen(self) -> Self:
        """Return a copy for inference: inverse matrices are buffers, and ActNorms are folded.

        This makes decoding faster. Values agree with this model up to rounding. The copy cannot be
        trained or saved; to change the dtype, convert first: ``model.double().frozen()``.
        """
        self._warn_unless_initialized()
        frozen: Self = freeze(self)
        frozen.config = None
        return frozen

    def _warn_unless_initialized(self) -> None:
        # A traced program cannot branch on a buffer.
        if not torch.compiler.is_compiling() and not self.initialized:
            warnings.warn(
                "this model is not initialized: call initialize(images) before training, or load "
                "trained weights",
                stacklevel=3,
            )

    def _tensors(self) -> Iterator[Tensor]:
        return itertools.chain(self.parameters(), self.buffers())

    def _check(self, images: Tensor) -> None:
        if self.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"a flow computes in float32 or float64, not in {self.dtype}, which would round "
                "its likelihood; for speed, run float32 weights under autocast (bf16-mixed)"
            )
        if images.ndim != 4 or tuple(images.shape[1:]) != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise ValueError(
                f"this model's images have the shape (B, {expected}), got {tuple(images.shape)}"
            )
