"""Uniform dequantization: from 8-bit pixels to a continuous image and back."""

import math

import torch
from torch import Tensor, nn

# In [128, 256) float32 has a resolution of 2^-16: with noise no larger than 1 - 2^-16 the sum
# "bin + noise" never rounds up into the next bin, and every division by a power of two is exact.
LARGEST_NOISE = 1.0 - 2.0**-16


class Dequantize(nn.Module):
    r"""Spread every pixel value uniformly over its bin: ``x = (bin + noise) / n_bins - 1/2``.

    ``bin = floor(image / 2^(8 - n_bits))`` is one of ``n_bins = 2^n_bits`` and ``noise`` is uniform
    in [0, 1), so x lies in [-1/2, 1/2). Then the probability of an image is bounded by ::

        log P(image) >= E[log p(x)] + log_det,      log_det = -C * H * W * log(n_bins)

    the expectation being over the noise. Paper section 2, equations 2 and 3; ``preprocess`` and
    ``postprocess`` of the reference.
    """

    def __init__(self, n_bits: int = 8) -> None:
        super().__init__()
        if not 1 <= n_bits <= 8:
            raise ValueError(
                f"n_bits must be from 1 to 8, the bits of a uint8 pixel, got {n_bits}; "
                f"the largest legal value is 8"
            )
        self.n_bits = n_bits
        self.n_bins = 2**n_bits

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Map uint8 images (B,C,H,W), with noise of that shape, to x, in the noise's dtype.

        The second value is ``log_det`` (B,), in nats.
        """
        if images.dtype != torch.uint8:
            raise ValueError(f"images must be uint8, from 0 to 255, got {images.dtype}")
        if noise.shape != images.shape:
            raise ValueError(
                f"noise must have one value per pixel value, shape {tuple(images.shape)}, "
                f"got {tuple(noise.shape)}"
            )
        bins = self._bins(images).to(noise.dtype)
        x = bins / self.n_bins - 0.5 + noise.clamp(max=LARGEST_NOISE) / self.n_bins
        n_dims = math.prod(images.shape[1:])
        return x, x.new_full((len(images),), -n_dims * math.log(self.n_bins))

    def inverse(self, x: Tensor) -> Tensor:
        """Return the images (B,C,H,W) whose bins x lies in: uint8 multiples of ``256 / n_bins``."""
        bins = ((x + 0.5) * self.n_bins).floor().clamp(0, self.n_bins - 1)
        return bins.to(torch.uint8) * (256 // self.n_bins)

    def kept(self, images: Tensor) -> Tensor:
        """Return what ``n_bits`` keep of uint8 images: what ``inverse`` gives back of them."""
        return self._bins(images) * (256 // self.n_bins)

    def _bins(self, images: Tensor) -> Tensor:
        return images // (256 // self.n_bins)
