"""What a model does, as functions of tensors alone: encode, decode, log_prob.

Images are uint8. The noise of dequantization and the latents are inputs, so that a program that
runs them needs no random numbers of ours; labels are an input where a model has classes.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from glow.interop.export.prefolding import prefolded
from glow.likelihood import standard_normal_log_prob
from glow.models import ImageFlow

Examples = dict[str, Tensor]


class EntryPoint(nn.Module):
    """A function of a frozen model.

    Args:
        model: The model, which does not change.
    """

    name: str
    inverse = False  # whether it runs the flow from latents to images

    def __init__(self, model: ImageFlow) -> None:
        super().__init__()
        self.original = (model,)  # in a tuple, so that it is no part of this module
        self.model = prefolded(model, inverse=self.inverse)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs."""
        return [self.name]

    @property
    def latent_names(self) -> list[str]:
        """The names of the latents, finest first."""
        return [f"eps_{level}" for level in range(1, 1 + len(self.model.latent_shapes))]

    @abstractmethod
    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Compute the outputs from the inputs in the order of ``examples``."""

    @abstractmethod
    def eager(self, examples: Examples) -> list[Tensor]:
        """Return what the model itself returns for inputs."""

    @abstractmethod
    def examples(self, n: int, seed: int = 0) -> Examples:
        """Return inputs by name.

        Args:
            n: The number of images.
            seed: The seed of the model's samples, from which they are made.
        """

    def labels(self, n: int) -> Examples:
        """Return labels, if the model has classes."""
        classes = self.model.n_classes
        return {"labels": torch.arange(n) % classes} if classes else {}

    def latents(self, n: int, seed: int) -> list[Tensor]:
        """Return the latents of samples at a temperature of 0.7."""
        generator = torch.Generator().manual_seed(seed)
        return [*self.original[0].sample_latents(n, 0.7, generator)]

    def images_and_noise(self, n: int, seed: int) -> Examples:
        """Return samples, noise, and labels."""
        labels = self.labels(n)
        images = self.original[0].decode(self.latents(n, seed), labels.get("labels"))
        noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(seed))
        return {"images": images, "noise": noise, **labels}


class Encode(EntryPoint):
    """From images, noise and labels to latents. Noise of 0.5 is what ``ImageFlow.encode`` takes."""

    name = "encode"

    @property
    def output_names(self) -> list[str]:
        """The names of the latents."""
        return self.latent_names

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Map images to latents."""
        images, noise, *labels = inputs
        latents, _ = self.model(images, *labels, noise=noise)
        return tuple(latents)

    def eager(self, examples: Examples) -> list[Tensor]:
        """Return latents."""
        images, noise, *labels = examples.values()
        return [*self.original[0].encode(images, *labels, noise=noise)]

    def examples(self, n: int, seed: int = 0) -> Examples:
        """Return images, noise, and labels."""
        return self.images_and_noise(n, seed)


class Decode(EntryPoint):
    """From latents and labels to images; those that are not finite are black."""

    name = "decode"
    inverse = True

    @property
    def output_names(self) -> list[str]:
        """The name of the images."""
        return ["images"]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map latents to images."""
        n_levels = len(self.model.latent_shapes)
        x = self.model.flow.inverse(inputs[:n_levels], *inputs[n_levels:])
        finite = x.isfinite().flatten(1).all(1)
        x = torch.where(finite[:, None, None, None], x, -1.0)
        return self.model.dequantizer.inverse(x)

    def eager(self, examples: Examples) -> list[Tensor]:
        """Return images."""
        tensors = [*examples.values()]
        n_levels = len(self.model.latent_shapes)
        return [self.original[0].decode(tensors[:n_levels], *tensors[n_levels:])]

    def examples(self, n: int, seed: int = 0) -> Examples:
        """Return latents, and labels."""
        names = self.latent_names
        return dict(zip(names, self.latents(n, seed), strict=True)) | self.labels(n)


class LogProb(EntryPoint):
    """From images, noise and labels to log-probabilities (B,), in nats."""

    name = "log_prob"

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return log-probabilities."""
        images, noise, *labels = inputs
        latents, log_det = self.model(images, *labels, noise=noise)
        return standard_normal_log_prob(latents) + log_det

    def eager(self, examples: Examples) -> list[Tensor]:
        """Return log-probabilities."""
        images, noise, *labels = examples.values()
        return [self.original[0].log_prob(images, *labels, noise=noise)]

    def examples(self, n: int, seed: int = 0) -> Examples:
        """Return images, noise, and labels."""
        return self.images_and_noise(n, seed)
