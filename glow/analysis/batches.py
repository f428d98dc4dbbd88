"""Any number of images through a model, one batch at a time; results stay on the CPU."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from glow.latents import Latents
from glow.likelihood import bits_per_dim as to_bits_per_dim
from glow.models import ImageFlow
from glow.noise import noise_per_image

BATCH_SIZE = 64


def encode(
    model: ImageFlow, images: Tensor, labels: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Latents:
    """Map images to their latents; see ``ImageFlow.encode``.

    Args:
        model: The model.
        images: uint8 (N,C,H,W).
        labels: Class labels (N,), if the model has classes.
        batch_size: The number of images at a time.

    Returns:
        The latents, on the CPU.
    """
    parts = [
        model.encode(*batch).map(lambda eps: eps.cpu())
        for batch in _batches(model, images, labels, batch_size)
    ]
    return Latents(torch.cat(levels) for levels in zip(*parts, strict=True))


def decode(
    model: ImageFlow, latents: Latents, labels: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Map latents to uint8 images (N,C,H,W); see ``ImageFlow.decode``.

    Args:
        model: The model.
        latents: One tensor (N,C_l,H_l,W_l) per level, finest first.
        labels: Class labels (N,), if the model has classes.
        batch_size: The number of images at a time.

    Returns:
        uint8 images (N,C,H,W), on the CPU.
    """
    parts = [
        model.decode(Latents.unflatten(vectors, latents.shapes), part_labels).cpu()
        for vectors, part_labels in _batches(model, latents.flatten(), labels, batch_size)
    ]
    return torch.cat(parts)


def sample(
    model: ImageFlow,
    n: int,
    temperature: float | Sequence[float] = 1.0,
    labels: Tensor | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Draw images that depend on the seed, but not on the batch size or the device.

    Args:
        model: The model.
        n: The number of images.
        temperature: One number for all levels, or one per level, finest first.
        labels: Class labels (n,), if the model has classes.
        seed: The seed of the noise.
        batch_size: The number of images at a time.

    Returns:
        uint8 images (n,C,H,W).

    Raises:
        ValueError: If ``n`` is less than 1, or a temperature is invalid.
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
    model: ImageFlow,
    n_columns: int,
    n_rows: int,
    temperature: float | Sequence[float] = 1.0,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Draw a table of images; a model with classes gets one class per column.

    Args:
        model: The model.
        n_columns: The number of columns.
        n_rows: The number of rows.
        temperature: One number for all levels, or one per level, finest first.
        seed: The seed of the noise.
        batch_size: The number of images at a time.

    Returns:
        uint8 images (n_rows,n_columns,C,H,W).

    Raises:
        ValueError: If there are no rows or columns, or a temperature is invalid.
    """
    labels = classes_in_turn(model, n_columns)
    if n_rows < 1:
        raise ValueError(f"a table needs at least one row, got n_rows={n_rows}")
    table_labels = None if labels is None else labels.repeat(n_rows)
    images = sample(model, n_rows * n_columns, temperature, table_labels, seed, batch_size)
    return images.unflatten(0, (n_rows, n_columns))


@torch.no_grad()
def bits_per_dim(
    model: ImageFlow, images: Tensor, labels: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor:
    """Return the bits/dim of images, always the same, because each image determines its noise.

    Without labels, a model with classes counts all of them as equally likely:
    ``p(x) = mean_y p(x | y)``.

    Args:
        model: The model.
        images: uint8 (N,C,H,W).
        labels: Class labels (N,), or None.
        batch_size: The number of images at a time.

    Returns:
        Bits/dim (N,), float64.
    """
    if model.n_classes and labels is None:
        nats = class_log_probs(model, images, batch_size)
        return to_bits_per_dim(nats.logsumexp(1) - math.log(model.n_classes), model.image_shape)
    parts = [
        model.log_prob(part, part_labels, noise=noise_per_image(part)).cpu().double()
        for part, part_labels in _batches(model, images, labels, batch_size)
    ]
    return to_bits_per_dim(torch.cat(parts), model.image_shape)


@torch.no_grad()
def class_log_probs(model: ImageFlow, images: Tensor, batch_size: int = BATCH_SIZE) -> Tensor:
    """Return ``log p(image | class)`` for all classes, minus infinity where it cannot be computed.

    Args:
        model: A model with classes.
        images: uint8 (N,C,H,W).
        batch_size: The number of images at a time.

    Returns:
        Log-probabilities (N,n_classes), in nats, float64.
    """
    parts = [
        model.class_log_probs(part, noise=noise_per_image(part)).cpu().double()
        for part, _ in _batches(model, images, None, batch_size)
    ]
    nats = torch.cat(parts)
    return torch.where(nats.isfinite(), nats, -torch.inf)


def fill_in_classes(
    model: ImageFlow, images: Tensor, labels: Tensor, batch_size: int = BATCH_SIZE
) -> Tensor | None:
    """Replace unknown labels by the class under which the image is most likely.

    Args:
        model: The model.
        images: uint8 (N,C,H,W).
        labels: Class labels (N,), -1 where the class is unknown.
        batch_size: The number of images at a time.

    Returns:
        Class labels (N,), or None if the model has no classes.
    """
    if not model.n_classes:
        return None
    labels = labels.cpu().clone()
    unknown = labels < 0
    if unknown.any():
        labels[unknown] = class_log_probs(model, images.cpu()[unknown], batch_size).argmax(1)
    return labels


def classes_in_turn(model: ImageFlow, n: int) -> Tensor | None:
    """Return n labels (n,) that cycle through the classes, or None if the model has no classes.

    Args:
        model: The model.
        n: The number of labels.
    """
    if n < 1:
        raise ValueError(f"at least one image or column is needed, got {n}")
    return torch.arange(n) % model.n_classes if model.n_classes else None


def _batches(
    model: ImageFlow, rows: Tensor, labels: Tensor | None, size: int
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield some rows at a time with their labels, on the device of the model."""
    if size < 1:
        raise ValueError(f"batch_size must be at least 1, got {size}")
    if not len(rows):
        raise ValueError("there are no images: at least one is needed")
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        part_labels = None if labels is None else labels[part].to(model.device)
        yield rows[part].to(model.device), part_labels
