"""What an image becomes: one standard-normal tensor per level."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor


class Latents(tuple[Tensor, ...]):
    """The noise of every level, ``(eps_1, ..., eps_L)``, finest first, each (B,C_l,H_l,W_l).

    Under the model all entries are independent and N(0, 1), so temperature, interpolation and edits
    of images are arithmetic here: ``latents.map(lambda eps: 0.7 * eps)``.

    Args:
        levels: One tensor per level, finest first.

    Raises:
        ValueError: If there is no level, or levels hold different numbers of images.

    >>> latents = Latents([torch.zeros(2, 3, 4, 4), torch.zeros(2, 12, 2, 2)])
    >>> latents
    Latents((2, 3, 4, 4), (2, 12, 2, 2))
    >>> latents.flatten().shape
    torch.Size([2, 96])
    """

    __slots__ = ()

    def __new__(cls, levels: Iterable[Tensor]) -> Latents:
        latents = super().__new__(cls, levels)
        # Shapes instead of len(), which would fix the number of images of an exported program.
        if not latents or any(eps.shape[0] != latents[0].shape[0] for eps in latents):
            raise ValueError(
                "latents need at least one level and the same number of images in each, "
                f"got levels of shape {[tuple(eps.shape) for eps in latents]}"
            )
        return latents

    def __repr__(self) -> str:
        return f"Latents({', '.join(str(tuple(eps.shape)) for eps in self)})"

    @property
    def n_images(self) -> int:
        """The number of images."""
        return len(self[0])

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape (C_l,H_l,W_l) of every level."""
        return [tuple(eps.shape[1:]) for eps in self]

    def map(self, function: Callable[[Tensor], Tensor]) -> Latents:
        """Apply ``function`` to every level."""
        return Latents(function(eps) for eps in self)

    def flatten(self) -> Tensor:
        """Concatenate all levels, finest first, to vectors (B,C*H*W)."""
        return torch.cat([eps.flatten(1) for eps in self], dim=1)

    @classmethod
    def unflatten(cls, vectors: Tensor, shapes: Sequence[tuple[int, ...]]) -> Latents:
        """Cut vectors into levels; the inverse of ``flatten``.

        Args:
            vectors: Vectors (B,C*H*W).
            shapes: The shape (C_l,H_l,W_l) of every level, finest first.

        Returns:
            The levels.

        Raises:
            ValueError: If the vectors are not as long as the levels together.
        """
        sizes = [math.prod(shape) for shape in shapes]
        if vectors.ndim != 2 or vectors.shape[1] != sum(sizes):
            raise ValueError(
                f"levels of shape {list(shapes)} hold {sum(sizes)} numbers per image, "
                f"got vectors of shape {tuple(vectors.shape)}"
            )
        parts = torch.split(vectors, sizes, dim=1)
        return cls(part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True))

    def save(self, path: str | Path) -> None:
        """Write the levels to an npz file, as arrays ``eps_1``, ``eps_2``, ..."""
        arrays = {f"eps_{i}": eps.detach().cpu().numpy() for i, eps in enumerate(self, start=1)}
        with Path(path).open("wb") as file:  # given a name, numpy would add a suffix to it
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | Path) -> Latents:
        """Read a file that ``save`` wrote.

        Raises:
            ValueError: If the file does not hold latents.
        """
        try:
            arrays = np.load(path)
            names = [f"eps_{i}" for i in range(1, len(arrays.files) + 1)]
            return cls(torch.from_numpy(arrays[name]) for name in names)
        except (KeyError, ValueError, AttributeError, EOFError, BadZipFile) as error:
            raise ValueError(
                f"{path} holds no latents: expected an npz file with arrays eps_1, eps_2, ..."
            ) from error
