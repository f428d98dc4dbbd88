"""Moving through the latent space: ways between latents, resampled levels, directions."""

import math
import warnings
from collections.abc import Callable, Collection, Sequence

import torch
from einops import rearrange
from torch import Tensor

from glow import in_batches
from glow.in_batches import BATCH_SIZE
from glow.latents import Latents
from glow.model import Glow

Path = Callable[[Tensor, Tensor, Tensor], Tensor]  # start (B,D), end (B,D), t (T,1,1) -> (T,B,D)


def linear(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return ``(1 - t) * start + t * end``. Paper section 6.1 and figure 5."""
    return (1 - t) * start + t * end


def spherical(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return ``(sin((1-t)a) * start + sin(ta) * end) / sin(a)``, a being the angle between the two.

    Half way between independent latents a straight line is shorter than either of them by a
    factor of sqrt(2), where a normal distribution has next to no mass; the great circle keeps the
    length. Parallel latents are joined by the straight line.
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1).clamp(-1, 1)
    angle = cosine.acos()[:, None]
    curved = (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()
    return torch.where(angle.sin().abs() < 1e-4, linear(start, end, t), curved)


def norm_preserving(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return the straight line, drawn out to the length ``(1 - t) |start| + t |end|``.

    It goes in the directions of the line, and its length goes evenly from that of one end to that
    of the other. Where the line passes through 0, its ends being opposite, it stays what it is.
    """
    line = linear(start, end, t)
    wanted = linear(start.norm(dim=1, keepdim=True), end.norm(dim=1, keepdim=True), t)
    length = line.norm(dim=-1, keepdim=True)
    return torch.where(length > 1e-6 * wanted, line * (wanted / length), line)


def interpolate(start: Latents, end: Latents, n_frames: int, path: Path = linear) -> list[Latents]:
    """Return the latents of ``n_frames`` frames from ``start`` to ``end``, both of them included.

    Each frame holds as many images as ``start`` and ``end``. The path is taken by all levels
    together, as one vector per image. The first and last frame are the very latents given, and the
    way back is the same way. Raises ``ValueError`` for fewer than 2 frames, or latents of different
    shapes.
    """
    if n_frames < 2:
        raise ValueError(f"an interpolation needs at least its 2 ends, got n_frames={n_frames}")
    if start.shapes != end.shapes or start.n_images != end.n_images:
        raise ValueError(f"cannot interpolate between {start} and {end}: the shapes differ")
    t = torch.linspace(0, 1, n_frames, dtype=start[0].dtype, device=start[0].device)
    # Exactly 1 - t from the other end, so that the way back meets the very same latents.
    t[: n_frames // 2] = 1 - t.flip(0)[: n_frames // 2]
    between = path(start.flatten(), end.flatten(), t[1:-1, None, None])
    return [start, *(Latents.unflatten(frame, start.shapes) for frame in between), end]


def interpolate_images(
    model: Glow,
    start: Tensor,
    end: Tensor,
    n_frames: int,
    path: Path = linear,
    *,
    start_labels: Tensor | None = None,
    end_labels: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Return the ways from images ``start`` to images ``end``, uint8 (B,C,H,W): (B,T,C,H,W).

    The first and the last frame are the very images given, with all bits that they have; the others
    are decoded. A model with classes decodes each frame under the label of the nearer end, and the
    one half way under the lower of both. Warns where the model does not give back what it keeps of
    the ends. Paper figure 5.
    """
    frames = interpolate(
        in_batches.encode(model, start, start_labels, batch_size),
        in_batches.encode(model, end, end_labels, batch_size),
        n_frames,
        path,
    )
    labels: list[Tensor | None] = [None] * n_frames
    if start_labels is not None and end_labels is not None:
        ends = torch.stack([start_labels, end_labels])
        labels = [ends[near].amin(0) for near in _nearer_ends(n_frames)]
    images = torch.stack(
        [
            in_batches.decode(model, latents, of_frame, batch_size)
            for latents, of_frame in zip(frames, labels, strict=True)
        ],
        dim=1,
    )
    return _with_the_very_ends(model, images, torch.stack([start, end], dim=1).cpu())


def interpolate_corners(
    model: Glow,
    corners: Tensor,
    n_frames: int,
    path: Path = linear,
    *,
    labels: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Return what lies between 4 images, uint8 (4,C,H,W), as a square (T,T,C,H,W).

    The corners, given as top left, top right, bottom left, bottom right, are the very images. The
    path is taken down both sides, then across. A model with classes decodes each image under the
    label of the nearest corner, and between corners under the lowest of theirs.
    """
    if len(corners) != 4:
        raise ValueError(f"a square has 4 corners, got {len(corners)} images")
    latents = in_batches.encode(model, corners, labels, batch_size)
    top_left, top_right, bottom_left, bottom_right = (
        latents.map(lambda eps, i=i: eps[i : i + 1])  # type: ignore[misc]
        for i in range(4)
    )
    left = interpolate(top_left, bottom_left, n_frames, path)
    right = interpolate(top_right, bottom_right, n_frames, path)
    square = [
        frame.flatten()
        for sides in zip(left, right, strict=True)
        for frame in interpolate(*sides, n_frames, path)
    ]
    nearest = None
    if labels is not None:
        near, of_corners = _nearer_ends(n_frames), labels.view(2, 2)
        nearest = torch.stack(
            [of_corners[rows][:, columns].min() for rows in near for columns in near]
        )
    images = in_batches.decode(
        model, Latents.unflatten(torch.cat(square), latents.shapes), nearest, batch_size
    )
    rows = rearrange(images, "(row t) c h w -> row t c h w", t=n_frames)
    rows[[0, -1]] = _with_the_very_ends(model, rows[[0, -1]], corners.cpu().unflatten(0, (2, 2)))
    return rows


def resample(
    model: Glow,
    latents: Latents,
    levels: Collection[int],
    temperature: float | Sequence[float] = 1.0,
    generator: torch.Generator | None = None,
) -> Latents:
    """Return the latents with the noise of these levels, numbered from 1 as the finest, drawn anew.

    What then changes of the images is what those levels hold. Raises ``ValueError`` for levels that
    are not there.
    """
    _check_levels(latents, levels)
    fresh = model.sample_latents(latents.n_images, temperature, generator)
    return Latents(
        new.to(eps.device) if level in levels else eps
        for level, (eps, new) in enumerate(zip(latents, fresh, strict=True), start=1)
    )


def keep_levels(latents: Latents, levels: Collection[int]) -> Latents:
    """Return the latents with 0, the likeliest noise, in all levels but these; finest is 1.

    What is left of the images is what those levels remember. Raises ``ValueError`` for levels that
    are not there.
    """
    _check_levels(latents, levels)
    return Latents(
        eps if level in levels else torch.zeros_like(eps)
        for level, eps in enumerate(latents, start=1)
    )


def move(latents: Latents, direction: Latents, strength: float) -> Latents:
    """Return ``latents + strength * direction``, the direction being one for all images.

    Raises ``ValueError`` where the shapes differ. Paper section 6.1 and figure 6.
    """
    if latents.shapes != direction.shapes:
        raise ValueError(f"cannot move {latents} along {direction}: the shapes differ")
    return Latents(
        eps + strength * along.to(eps) for eps, along in zip(latents, direction, strict=True)
    )


def move_images(
    model: Glow,
    images: Tensor,
    direction: Latents,
    strengths: Sequence[float],
    *,
    labels: Tensor | None = None,
    batch_size: int = BATCH_SIZE,
) -> Tensor:
    """Return images, uint8 (B,C,H,W), moved along a direction by each strength: (B,S,C,H,W).

    At strength 0 they are what the model's bits keep of the images. Raises as ``check_strengths``.
    """
    check_strengths(strengths)
    latents = in_batches.encode(model, images, labels, batch_size)
    moved = [
        in_batches.decode(model, move(latents, direction, strength), labels, batch_size)
        for strength in strengths
    ]
    return torch.stack(moved, dim=1)


def check_strengths(strengths: Sequence[float]) -> None:
    """Raise ``ValueError`` where strengths are not finite numbers, or there are none."""
    if not strengths or not all(
        isinstance(strength, int | float) and math.isfinite(strength) for strength in strengths
    ):
        raise ValueError(f"strengths must be finite numbers, at least one, got {list(strengths)}")


def _nearer_ends(n_frames: int) -> list[list[int]]:
    """Return for each frame the nearer end of the way, 0 or 1, and both of them half way."""
    return [
        [end for end, near in enumerate((2 * i <= n_frames - 1, 2 * i >= n_frames - 1)) if near]
        for i in range(n_frames)
    ]


def _with_the_very_ends(model: Glow, images: Tensor, ends: Tensor) -> Tensor:
    """Put the very ends (B,2,C,H,W) into decoded ways (B,T,C,H,W); warn of a lossy model."""
    lost = (images[:, [0, -1]] != model.dequantize.kept(ends)).float().mean().item()
    if lost:
        warnings.warn(
            f"the model gives back the ends with {lost:.2%} of the pixel values changed: its "
            "scales have grown too extreme for float32, and what it draws between is not to be "
            "trusted; model.double() has room to spare",
            stacklevel=3,
        )
    images[:, [0, -1]] = ends
    return images


def _check_levels(latents: Latents, levels: Collection[int]) -> None:
    unknown = [level for level in levels if not 1 <= level <= len(latents)]
    if unknown:
        raise ValueError(
            f"there is no level {unknown[0]}: the {len(latents)} levels are numbered from 1, the "
            f"finest, to {len(latents)}, the coarsest"
        )
