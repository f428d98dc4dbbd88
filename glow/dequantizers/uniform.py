"""Uniform dequantization."""

from torch import Tensor

from glow.dequantizers.dequantizer import Dequantizer


class UniformDequantizer(Dequantizer):
    """Spread every pixel value uniformly over its bin: u is the noise itself.

    ``preprocess`` and ``postprocess`` of the reference.
    """

    name = "uniform"
    bound = "U"

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Place each pixel at its noise."""
        return self.place(images, noise)
