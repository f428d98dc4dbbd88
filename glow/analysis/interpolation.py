"""Interpolation between images through the latent space."""

import warnings
from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor

from glow.analysis import batches
from glow.analysis.batches import BATCH_SIZE
from glow.latents import Latents
from glow.models import ImageFlow

Interpolant = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From start (B,D), end (B,D) and t (T,1,1) to points between them (T,B,D)."""


def linear(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return ``(1 - t) * start + t * end``. Paper section 6.1 and figure 5.

    Args:
        start: Flattened latents (B,D) at t = 0.
        end: Flattened latents (B,D) at t = 1.
        t: Positions between the two, (T,1,1).

    Returns:
        Points (T,B,D).
    """
    return (1 - t) * start + t * end


def spherical(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return ``(sin((1-t)a) * start + sin(ta) * end) / sin(a)``, a being the angle between the two.

    Halfway between independent latents, a straight line is shorter than either of them by a factor
    of sqrt(2), where a normal distribution has almost no mass; the great circle keeps the length.
    Between parallel latents this is the straight line.

    Args:
        start: Flattened latents (B,D) at t = 0.
        end: Flattened latents (B,D) at t = 1.
        t: Positions between the two, (T,1,1).

    Returns:
        Points (T,B,D).
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1).clamp(-1, 1)
    angle = cosine.acos()[:, None]
    curved = (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()
    return torch.where(angle.sin().abs() < 1e-4, linear(start, end, t), curved)


def norm_preserving(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return the straight line, rescaled to the length ``(1 - t) |start| + t |end|``.

    The directions are those of the line; the length changes evenly from one end to the other. If
    the line passes through 0, because its ends are opposite, it is not rescaled there.

    Args:
        start: Flattened latents (B,D) at t = 0.
        end: Flattened latents (B,D) at t = 1.
        t: Positions between the two, (T,1,1).

    Returns:
        Points (T,B,D).
    """
    line = linear(start, end, t)
    wanted = linear(start.norm(dim=1, keepdim=True), end.norm(dim=1, keepdim=True), t)
    length = line.norm(dim=-1, keepdim=True)
    return torch.where(length > 1e-6 * wanted, line * (wanted / length), line)


def interpolate(
    start: Latents, end: Latents, n_frames: int, interpolant: Interpolant = linear
) -> list[Latents]:
    """Return the latents of frames from ``start`` to ``end``, including both.

    All levels together, as one vector per image, are interpolated. The first and the last frame are
    exactly the given latents, and swapping the ends reverses the frames.

    Args:
        start: The latents of one or more images.
        end: The latents of as many images.
        n_frames: The number of frames, at least 2.
        interpolant: How to go from one end to the other.

    Raises:
        ValueError: If there are fewer than 2 frames, or the shapes differ.
    """
    if n_frames < 2:
        raise ValueError(f"an interpolation needs at least its 2 ends, got n_frames={n_frames}")
    if start.shapes != end.shapes or start.n_images != end.n_images:
        raise ValueError(f"cannot interpolate between {start} and {end}: the shapes differ")
    t = torch.linspace(0, 1, n_frames, dtype=start[0].dtype, device=start[0].device)
    # Exactly 1 - t from the other end, so that swapping the ends gives the same latents.
    t[: n_frames // 2] = 1 - t.flip(0)[: n_frames // 2]
    between = interpolant(start.flatten(), end.flatten(), t[1:-1, None, None])
    return [start, *(Latents.unflatten(frame, start.shapes) for frame in between), end]


def interpolate_images(
    model: ImageFlow,
    start: Tensor,
    end: Tensor,
    n_frames: int,
    interpolant: Interpolant = linear,
    *,
    start_labels: Tensor | None = None,
    end_labels: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Interpolate between images. Paper figure 5.

    The first and the last frame are exactly the given images; the others are decoded. A model with
    classes decodes each frame under the label of the nearer end, and the middle frame under the
    lower label. Warns if the model does not reproduce the ends.

    Args:
        model: The model.
        start: uint8 images (B,C,H,W).
        end: As many uint8 images.
        n_frames: The number of frames, T.
        interpolant: How to go from one end to the other.
        start_labels: Class labels (B,) of ``start``, if the model has classes.
        end_labels: Class labels (B,) of ``end``.
        batch_size: The number of images at a time.

    Returns:
        uint8 images (B,T,C,H,W).

    Raises:
        ValueError: If there are fewer than 2 frames, or the shapes differ.
    """
    frames = interpolate(
        batches.encode(model, start, start_labels, batch_size),
        batches.encode(model, end, end_labels, batch_size),
        n_frames,
        interpolant,
    )
    labels: list[Tensor | None] = [None] * n_frames
    if start_labels is not None and end_labels is not None:
        ends = torch.stack([start_labels, end_labels])
        labels = [ends[near].amin(0) for near in _nearer_ends(n_frames)]
    images = torch.stack(
        [
            batches.decode(model, latents, frame_labels, batch_size)
            for latents, frame_labels in zip(frames, labels, strict=True)
        ],
        dim=1,
    )
    return _with_exact_ends(model, images, torch.stack([start, end], dim=1).cpu())


def interpolate_corners(
    model: ImageFlow,
    corners: Tensor,
    n_frames: int,
    interpolant: Interpolant = linear,
    *,
    labels: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Interpolate between four images in the corners of a square.

    The corners are exactly the given images. Interpolation runs down both sides, then across. A
    model with classes decodes each image under the label of the nearest corner, and under the
    lowest label between corners.

    Args:
        model: The model.
        corners: uint8 images (4,C,H,W): top left, top right, bottom left, bottom right.
        n_frames: The number of images along a side, T.
        interpolant: How to go from one end to the other.
        labels: Class labels (4,), if the model has classes.
        batch_size: The number of images at a time.

    Returns:
        uint8 images (T,T,C,H,W).

    Raises:
        ValueError: If there are not 4 images, or fewer than 2 frames.
    """
    if len(corners) != 4:
        raise ValueError(f"a square has 4 corners, got {len(corners)} images")
    latents = batches.encode(model, corners, labels, batch_size)
    top_left, top_right, bottom_left, bottom_right = (
        latents.map(lambda eps, i=i: eps[i : i + 1])  # type: ignore[misc]
        for i in range(4)
    )
    left = interpolate(top_left, bottom_left, n_frames, interpolant)
    right = interpolate(top_right, bottom_right, n_frames, interpolant)
    square = [
        frame.flatten()
        for sides in zip(left, right, strict=True)
        for frame in interpolate(*sides, n_frames, interpolant)
    ]
    nearest = None
    if labels is not None:
        near, corner_labels = _nearer_ends(n_frames), labels.view(2, 2)
        nearest = torch.stack(
            [corner_labels[rows][:, columns].min() for rows in near for columns in near]
        )
    images = batches.decode(
        model, Latents.unflatten(torch.cat(square), latents.shapes), nearest, batch_size
    )
    rows = rearrange(images, "(row t) c h w -> row t c h w", t=n_frames)
    rows[[0, -1]] = _with_exact_ends(model, rows[[0, -1]], corners.cpu().unflatten(0, (2, 2)))
    return rows


def _nearer_ends(n_frames: int) -> list[list[int]]:
    """Return the nearer end of each frame, 0 or 1, and both for the middle frame."""
    return [
        [end for end, near in enumerate((2 * i <= n_frames - 1, 2 * i >= n_frames - 1)) if near]
        for i in range(n_frames)
    ]


def _with_exact_ends(model: ImageFlow, images: Tensor, ends: Tensor) -> Tensor:
    """Put the given ends (B,2,C,H,W) into decoded frames (B,T,C,H,W)."""
    lost = (images[:, [0, -1]] != model.dequantizer.quantize(ends)).float().mean().item()
    if lost:
        warnings.warn(
            f"the model reproduces the ends with {lost:.2%} of the pixel values changed: its "
            "scales have become too extreme for float32, so do not trust the frames between "
            "them; model.double() is more accurate",
            stacklevel=3,
        )
    images[:, [0, -1]] = ends
    return images
