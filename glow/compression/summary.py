"""What there is to tell about a compressed file."""

import math
from dataclasses import dataclass, field

from glow.compression.chunk import MODEL, Chunk


@dataclass
class Summary:
    """What was written.

    Args:
        image_shape: The shape (C,H,W) of an image.
        n_images: The number of images.
        n_bytes: The size of the file.
        chunks: The chunks, without their bytes.
    """

    image_shape: tuple[int, ...]
    n_images: int = 0
    n_bytes: int = 0
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def bits_per_dim(self) -> float:
        """All bits of the file divided by the number of pixel values; NaN without images."""
        return self._per_dim(8 * self.n_bytes)

    def numbers(self) -> dict[str, float]:
        """Return numbers by name; those about exceptions only where there are some."""
        chunks = self.chunks
        exceptions = {
            "bits/dim of the bits that the model does not see": self._per_dim(
                sum(c.low_bits for c in chunks)
            ),
            "images out of range, in a picture": sum(c.n_outliers for c in chunks),
            "chunks stored as a picture": sum(c.kind != MODEL for c in chunks),
        }
        return {
            "images": self.n_images,
            "bytes": self.n_bytes,
            "bits/dim of the file": self.bits_per_dim,
            "chunks": len(chunks),
            "chunks that fell back, because their code did not come back": sum(
                c.fell_back for c in chunks
            ),
            "images whose picture gives the initial bits": sum(c.n_initial for c in chunks),
            "bits/dim of the initial bits": self._per_dim(sum(c.initial_bits for c in chunks)),
            **{name: number for name, number in exceptions.items() if number > 0},
        }

    def _per_dim(self, bits: float) -> float:
        n_values = self.n_images * math.prod(self.image_shape)
        return bits / n_values if n_values else math.nan
