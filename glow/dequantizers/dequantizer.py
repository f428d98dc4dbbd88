"""What every dequantizer does: 8-bit pixels to bins, and bins back to pixels."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

# In [128, 256) float32 has a resolution of 2^-16: with noise of at most 1 - 2^-16, "bin + noise"
# never rounds up into the next bin, and every division by a power of two is exact.
LARGEST_NOISE = 1.0 - 2.0**-16


class Dequantizer(nn.Module, ABC):
    r"""Place every pixel value somewhere in its bin: ``x = (bin + u) / n_bins - 1/2``.

    ``bin = floor(image / 2^(8 - n_bits))`` is one of ``n_bins = 2^n_bits`` and u lies in [0, 1), so
    x lies in [-1/2, 1/2). A dequantizer chooses u given noise; going back needs no noise. With
    ``log_det = log |dx / dnoise|``, the probability of an image is bounded by ::

        log P(image) >= E[log p(x) + log_det],

    the expectation being over the noise. Paper section 2, equations 2 and 3.

    Args:
        n_bits: How many of the 8 bits of a pixel the model sees.

    Raises:
        ValueError: If ``n_bits`` is not from 1 to 8.
    """

    name: str  # how results name this kind of dequantization
    bound: str  # how results mark its bound: U or V, for uniform or variational

    def __init__(self, n_bits: int = 8) -> None:
        super().__init__()
        if not 1 <= n_bits <= 8:
            raise ValueError(f"n_bits must be from 1 to 8, the bits of a uint8 pixel, got {n_bits}")
        self.n_bits = n_bits
        self.n_bins = 2**n_bits

    @abstractmethod
    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Map images to continuous ones.

        Args:
            images: uint8 (B,C,H,W).
            noise: Uniform in [0, 1), of the same shape, in the dtype of the result.

        Returns:
            x (B,C,H,W) and ``log_det`` (B,), in nats.

        Raises:
            ValueError: If the images are not uint8, or the noise has another shape.
        """

    @property
    def unit(self) -> str:
        """The unit of results; the bound of uniform noise is the usual one, and has no mark."""
        return "bits/dim" if self.bound == "U" else f"bits/dim ({self.bound})"

    def center(self, images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Map images to the middles of their bins, without noise.

        Args:
            images: uint8 (B,C,H,W).
            dtype: The dtype of the result.

        Returns:
            x (B,C,H,W), furthest from where ``inverse`` would return other images.
        """
        return self.place(images, torch.full_like(images, 0.5, dtype=dtype))[0]

    def initialize(self, images: Tensor, noise: Tensor) -> Tensor:
        """Set the parameters that start from data; return x, as ``forward`` does.

        Args:
            images: uint8 (B,C,H,W).
            noise: Uniform in [0, 1), of the same shape.
        """
        return self(images, noise)[0]

    def inverse(self, x: Tensor) -> Tensor:
        """Map x (B,C,H,W) to the images whose bins it lies in.

        Args:
            x: Continuous images (B,C,H,W).

        Returns:
            uint8 images (B,C,H,W), multiples of ``256 / n_bins``.
        """
        bins = ((x + 0.5) * self.n_bins).floor().clamp(0, self.n_bins - 1)
        return bins.to(torch.uint8) * (256 // self.n_bins)

    def quantize(self, images: Tensor) -> Tensor:
        """Return uint8 images with only the upper ``n_bits``: what ``inverse`` returns for them."""
        return images // (256 // self.n_bins) * (256 // self.n_bins)

    def place(self, images: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Put pixels at ``u`` within their bins.

        Args:
            images: uint8 (B,C,H,W).
            u: Where in the bin, from 0 to 1, of the same shape.

        Returns:
            x (B,C,H,W) and ``log |dx/du| = -C * H * W * log(n_bins)``, (B,).

        Raises:
            ValueError: If the images are not uint8, or u has another shape.
        """
        if images.dtype != torch.uint8:
            raise ValueError(f"images must be uint8, from 0 to 255, got {images.dtype}")
        if u.shape != images.shape:
            raise ValueError(
                f"noise must have one value per pixel value, shape {tuple(images.shape)}, "
                f"got {tuple(u.shape)}"
            )
        bins = (images // (256 // self.n_bins)).to(u.dtype)
        x = bins / self.n_bins - 0.5 + u.clamp(max=LARGEST_NOISE) / self.n_bins
        n_dims = math.prod(images.shape[1:])
        return x, x.new_full((images.shape[0],), -n_dims * math.log(self.n_bins))
