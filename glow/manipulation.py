"""Moving through the latent space."""

from collections.abc import Callable

import torch
from torch import Tensor

from glow.latents import Latents

Path = Callable[[Tensor, Tensor, Tensor], Tensor]  # start (B,D), end (B,D), t (T,1,1) -> (T,B,D)


def linear(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return ``(1 - t) * start + t * end``. Paper section 6.1 and figure 5."""
    return (1 - t) * start + t * end


def spherical(start: Tensor, end: Tensor, t: Tensor) -> Tensor:
    """Return ``(sin((1-t)a) * start + sin(ta) * end) / sin(a)``, a being the angle between the two.

    Half way between independent latents a straight line is shorter than either of them by
    sqrt(2), where a normal distribution has next to no mass; the great circle keeps the length.
    Parallel latents are joined by the straight line.
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=1).clamp(-1, 1)
    angle = cosine.acos()[:, None]
    curved = (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()
    return torch.where(angle.sin().abs() < 1e-4, linear(start, end, t), curved)


def interpolate(start: Latents, end: Latents, n_frames: int, path: Path = linear) -> list[Latents]:
    """Return the latents of ``n_frames`` frames from ``start`` to ``end``, both of them included.

    Each frame holds as many images as ``start`` and ``end``. The path is taken by all levels
    together, as one vector per image. The first and last frame are the very latents given. Raises
    ``ValueError`` for fewer than 2 frames, or latents of different shapes.
    """
    if n_frames < 2:
        raise ValueError(f"an interpolation needs at least its 2 ends, got n_frames={n_frames}")
    if start.shapes != end.shapes or start.n_images != end.n_images:
        raise ValueError(f"cannot interpolate between {start} and {end}: the shapes differ")
    t = torch.linspace(0, 1, n_frames, dtype=start[0].dtype, device=start[0].device)
    between = path(start.flatten(), end.flatten(), t[1:-1, None, None])
    return [start, *(Latents.unflatten(frame, start.shapes) for frame in between), end]
