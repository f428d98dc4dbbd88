"""A picture as a density on the plane."""

import math
from pathlib import Path
from typing import Literal

import torch
from PIL import Image, ImageOps
from torch import Tensor

from glow.data.image_file import open_picture, read_file
from glow.targets.target import Distribution


class Picture(Distribution):
    """Any picture: a pixel is the more likely the darker it is (or brighter), and flat inside.

    The longer side of the picture spans [-4, 4]. Density and entropy are exact.

    Args:
        path: The file.
        ink: What is likely, dark or bright pixels.
        resolution: The number of pixels along the longer side, to which larger pictures are
            reduced.

    Raises:
        ValueError: If there is no such picture, or it has no ink at all, or ``resolution`` is less
            than 1.
    """

    def __init__(
        self, path: str, ink: Literal["dark", "bright"] = "dark", resolution: int = 128
    ) -> None:
        if resolution < 1:
            raise ValueError(f"resolution must be at least 1, got {resolution}")
        try:
            picture = open_picture(read_file(Path(path)), channels=1)
        except ValueError as error:
            raise ValueError(f"{path} cannot be used as a picture: {error}") from None
        if max(picture.size) > resolution:
            picture = ImageOps.contain(picture, (resolution, resolution), Image.Resampling.BOX)
        gray = torch.tensor(list(picture.tobytes()), dtype=torch.float64)
        gray = gray.view(picture.height, picture.width)
        weights = 255 - gray if ink == "dark" else gray
        if not weights.any():
            raise ValueError(f"{path} has no {ink} pixels, and would be a density of nothing")
        # The first axis follows x_1, to the right, and the second x_2, up.
        self.masses = (weights / weights.sum()).flip(0).T
        self.side = 2 * self.bound / max(picture.size)  # of a pixel
        self.corner = -self.side / 2 * torch.tensor(self.masses.shape, dtype=torch.float64)
        densities = self.masses / self.side**2
        self.log_densities = densities.log()
        self.entropy = -torch.special.xlogy(self.masses, densities).sum().item()

    def log_density(self, x: Tensor) -> Tensor:
        """Look the pixel of every point up."""
        place = ((x - self.corner.to(x)) / self.side).floor()
        sizes = x.new_tensor(self.masses.shape)
        inside = ((place >= 0) & (place < sizes)).all(1)
        column, row = torch.where(inside[:, None], place, 0.0).long().unbind(1)
        found = self.log_densities.to(x)[column, row]
        return torch.where(inside, found, -math.inf)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw a pixel, and a place in it."""
        drawn = self.masses.flatten().multinomial(n, replacement=True, generator=generator)
        height = self.masses.shape[1]
        pixel = torch.stack([drawn // height, drawn % height], dim=1)
        place = pixel + torch.rand(n, 2, generator=generator, dtype=torch.float64)
        return (self.corner + self.side * place).float()
