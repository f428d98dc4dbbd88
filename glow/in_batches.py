"""Any number of images through a Glow, a batch at a time; what comes of them is kept on the CPU."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from glow.latents import Latents
from glow.likelihood import bits_per_dim as bits_per_dim_of
from glow.model import Glow
from glow.noise import noise_of

BATCH_SIZE = 64


def encode(
    model: Glow, images: Tensor, labels: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Latents:
    """Map uint8 images (N,C,H,W), given labels (N,), to their latents; see ``Glow.encode``."""
    parts = [
        model.encode(*batch).map(lambda eps: eps.cpu())
        for batch in _batches(model, images, labels, batch_size)
    ]
    return Latents(torch.cat(levels) for levels in zip(*parts, strict=True))


def decode(
    model: Glow, latents: Latents, labels: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Map latents, given labels (N,), to uint8 images (N,C,H,W); see ``Glow.decode``."""
    parts = [
        model.decode(Latents.unflatten(vectors, latents.shapes), part_labels).cpu()
        for vectors, part_labels in _batches(model, latents.flatten(), labels, batch_size)
    ]
    return torch.cat(parts)


def sample(
    model: Glow,
    n: int,
    temperature: float | Sequence[float] = 1.0,
    labels: Tensor | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Draw n images, uint8 (n,C,H,W), given labels (n,); see ``Glow.sample_latents``.

    Their noise is that of the seed, whatever the batch size and the device.
    """
    if n < 1:
        raise ValueError(f"the number of samples must be at least 1, got {n}")
    generator = torch.Generator().manual_seed(seed)
    parts = [
        model.sample(len(numbers), temperature, part_labels, generator).cpu()
        for numbers, part_labels in _batches(model, torch.arange(n), labels, batch_size)
    ]
    return torch.cat(parts)


def sample_table(
    model: Glow,
    n_columns: int,
    n_rows: int,
    temperature: float | Sequence[float] = 1.0,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Draw images, uint8 (n_rows,n_columns,C,H,W), one class a column for a model with classes."""
    labels = classes_in_turn(model, n_columns)
    if n_rows < 1:
        raise ValueError(f"a table needs at least one row, got n_rows={n_rows}")
    of_table = None if labels is None else labels.repeat(n_rows)
    images = sample(model, n_rows * n_columns, temperature, of_table, seed, batch_size)
    return images.unflatten(0, (n_rows, n_columns))


@torch.no_grad()
def bits_per_dim(
    model: Glow, images: Tensor, labels: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Return the bits/dim of uint8 images (N,C,H,W), (N,), in float64.

    Every image determines its own noise of dequantization, so that the result is always the same.
    A model with classes, where no labels (N,) are given, counts all of them as equally likely:
    ``p(x) = mean_y p(x | y)``.
    """
    if model.n_classes and labels is None:
        nats = class_log_probs(model, images, batch_size)
        return bits_per_dim_of(nats.logsumexp(1) - math.log(model.n_classes), model.image_shape)
    parts = [
        model.log_prob(part, part_labels, noise=noise_of(part)).cpu().double()
        for part, part_labels in _batches(model, images, labels, batch_size)
    ]
    return bits_per_dim_of(torch.cat(parts), model.image_shape)


@torch.no_grad()
def class_log_probs(model: Glow, images: Tensor, batch_size: int = BATCH_SIZE) -> Tensor:
    """Return ``log p(image | class)`` for all classes, (N, n_classes), float64, in nats.

    It is minus infinity where it cannot be computed.
    """
    parts = [
        model.class_log_probs(part, noise=noise_of(part)).cpu().double()
        for part, _ in _batches(model, images, None, batch_size)
    ]
    nats = torch.cat(parts)
    return torch.where(nats.isfinite(), nats, -torch.inf)


def classes_of(
    model: Glow, images: Tensor, labels: Tensor, batch_size: int = BATCH_SIZE
) -> Tensor | None:
    """Return the classes (N,) of images whose labels (N,) may be unknown, which is said by -1.

    They get the class under which the image is likeliest. None where the model has no classes.
    """
    if not model.n_classes:
        return None
    labels = labels.cpu().clone()
    unknown = labels < 0
    if unknown.any():
        labels[unknown] = class_log_probs(model, images.cpu()[unknown], batch_size).argmax(1)
    return labels


def classes_in_turn(model: Glow, n: int) -> Tensor | None:
    """Return n labels (n,) that run through the classes, or nothing for a model without."""
    if n < 1:
        raise ValueError(f"at least 1 image is needed, or 1 column of them, got {n}")
    return torch.arange(n) % model.n_classes if model.n_classes else None


def _batches(
    model: Glow, rows: Tensor, labels: Tensor | None, size: int
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield some rows at a time, and their labels, where the model is."""
    if size < 1:
        raise ValueError(f"batch_size must be at least 1, got {size}")
    if not len(rows):
        raise ValueError("there are no images: at least one is needed")
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        part_labels = None if labels is None else labels[part].to(model.device)
        yield rows[part].to(model.device), part_labels
