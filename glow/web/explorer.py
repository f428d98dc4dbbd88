"""What the page shows, computed from a model, without anything of the page itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from glow.analysis import batches
from glow.analysis.attributes import Directions, position
from glow.analysis.editing import move
from glow.analysis.interpolation import Interpolant, interpolate_corners, spherical
from glow.analysis.levels import keep_levels, resample
from glow.analysis.parts import Parts, likelihood_parts
from glow.data import ImageDataModule, fit_content
from glow.data.names import printable, shortened
from glow.latents import Latents
from glow.models import ImageFlow
from glow.pretrained import Released
from glow.web.encoded import CORNERS, Encoded, check_ends

TEMPERATURE = 0.7  # the paper's
N_SAMPLES = 8
N_STOPS = 4  # of a walk


class Explorer:
    """A model for inference, and what can be asked of it.

    The same arguments always give the same images. Nothing is kept between calls, so any number of
    pages can share an explorer.

    Args:
        model: The model.
        data: The source whose way of cropping fits pictures to the model; it is not read.
        directions: The directions of attributes, or None.
        class_names: The names of the model's classes.
    """

    def __init__(
        self,
        model: ImageFlow,
        data: ImageDataModule,
        directions: Directions | None = None,
        class_names: Sequence[str] = (),
    ) -> None:
        self.model = model.frozen()
        self.data = data
        self.n_levels = len(model.latent_shapes)
        classes = range(model.n_classes)
        self.class_names = list(class_names) or [f"class {label}" for label in classes]
        self.directions = {} if directions is None else _usable(directions)

    def check_attribute(self, name: str) -> None:
        """Raise ``ValueError`` if there is no direction of this name."""
        position(name, list(self.directions))

    def suggested(self, released: Released | None, n: int = 6) -> list[str]:
        """Return the attributes that have a slider at first: those of the release, or the first.

        Args:
            released: The model, if it comes with Glow.
            n: The number of attributes if nothing suggests others.
        """
        named = [] if released is None else released.describe().get("attributes", [])
        return [name for name in named if name in self.directions] or list(self.directions)[:n]

    def samples(
        self,
        temperatures: Sequence[float],
        seed: int = 0,
        n: int = N_SAMPLES,
        label: int | None = None,
    ) -> Tensor:
        """Draw samples.

        Args:
            temperatures: One temperature per level, finest first.
            seed: The seed of the noise.
            n: The number of samples.
            label: The class of all samples; None for all classes in turn.

        Returns:
            uint8 images (n,C,H,W).
        """
        labels = batches.classes_in_turn(self.model, n)
        if labels is not None and label is not None:
            labels = torch.full_like(labels, label)
        return batches.sample(self.model, n, list(temperatures), labels, seed)

    def walk(
        self,
        positions: Sequence[float],
        temperature: float = TEMPERATURE,
        seed: int = 0,
        label: int | None = None,
    ) -> Tensor:
        """Walk along great circles between random latents, and back to the first.

        Args:
            positions: Positions on the walk, from 0 to 1, which are the same place.
            temperature: The temperature of the latents at the stops.
            seed: The seed of the stops.
            label: The class of all images, if the model has classes; None for the first.

        Returns:
            One uint8 image for each position (P,C,H,W).
        """
        generator = torch.Generator().manual_seed(seed)
        stops = self.model.sample_latents(N_STOPS, temperature, generator).flatten()
        t = torch.tensor([position % 1 * N_STOPS for position in positions])
        start = t.long() % N_STOPS
        across = (t - t.floor()).to(stops)
        points = [
            spherical(stops[[i]], stops[[(i + 1) % N_STOPS]], share.view(1, 1, 1))[0]
            for i, share in zip(start.tolist(), across, strict=True)
        ]
        labels = batches.classes_in_turn(self.model, 1)
        if labels is not None and label is not None:
            labels = torch.tensor([label])
        return self._decode(torch.cat(points), labels)

    def read(self, files: Sequence[tuple[str, bytes]]) -> tuple[Encoded, list[str]]:
        """Read picture files, fit them to the model, and encode them.

        Args:
            files: The name and the content of each.

        Returns:
            The images, and a note for each picture that had to be fitted.

        Raises:
            ValueError: If one of them is not a picture. The message says why.
        """
        images, notes = [], []
        for name, content in files:
            image, note = fit_content(self.data, content, shortened(printable(name)))
            images.append(image)
            notes += [note] if note else []
        return self.encode(torch.stack(images), [name for name, _ in files]), notes

    def sampled(self, seed: int, n: int = 1) -> Encoded:
        """Draw samples, and encode them as if they were given.

        Args:
            seed: The seed of the noise.
            n: The number of samples.
        """
        images = self.samples([TEMPERATURE] * self.n_levels, seed, n)
        return self.encode(images, [f"sample {seed}" if n == 1 else "sample"] * n)

    def encode(self, images: Tensor, names: Sequence[str]) -> Encoded:
        """Encode images; those of a model with classes are of their most likely class.

        Args:
            images: uint8 (B,C,H,W).
            names: A name to show for each.
        """
        unknown = torch.full((len(images),), -1)
        labels = batches.fill_in_classes(self.model, images, unknown)
        latents = batches.encode(self.model, images, labels)
        return Encoded(images, latents, labels, [shortened(printable(name)) for name in names])

    def between(
        self, ends: Encoded, across: float, down: float, interpolant: Interpolant = spherical
    ) -> Tensor:
        """Interpolate between two images, or between four in the corners of a square.

        Args:
            ends: Two images: left and right; or four: top left, top right, bottom left, bottom
                right.
            across: From 0, the left, to 1, the right.
            down: From 0, the top, to 1, the bottom; ignored between two images.
            interpolant: How to go from one image to the other.

        Returns:
            A uint8 image (1,C,H,W).

        Raises:
            ValueError: If there are neither two nor four images.
        """
        check_ends(len(ends.images))
        vectors = ends.latents.flatten()
        left, right = vectors[[0]], vectors[[1]]
        if len(vectors) == CORNERS:
            t = torch.tensor(down, dtype=vectors.dtype).view(1, 1, 1)
            left, right = (interpolant(vectors[[i]], vectors[[i + 2]], t)[0] for i in range(2))
        t = torch.tensor(across, dtype=vectors.dtype).view(1, 1, 1)
        label = None
        if ends.labels is not None:
            row = 2 * round(down) if len(vectors) == CORNERS else 0
            label = ends.labels[[row + round(across)]]
        return self._decode(interpolant(left, right, t)[0], label)

    def overview(self, ends: Encoded, n: int, interpolant: Interpolant = spherical) -> Tensor:
        """Interpolate along the whole line between two images, or over the square between four.

        Args:
            ends: Two or four images, as in ``between``.
            n: The number of images along a side.
            interpolant: How to go from one image to the other.

        Returns:
            uint8 images (1,n,C,H,W) or (n,n,C,H,W).
        """
        check_ends(len(ends.images))
        if len(ends.images) == CORNERS:
            return interpolate_corners(self.model, ends.images, n, interpolant, labels=ends.labels)
        steps = [i / (n - 1) for i in range(n)]
        return torch.stack([self.between(ends, t, 0, interpolant)[0] for t in steps])[None]

    def moved(self, picture: Encoded, strengths: Mapping[str, float]) -> Tensor:
        """Move an image along the directions of attributes.

        Args:
            picture: The image.
            strengths: How far to move along the direction of each attribute.

        Returns:
            A uint8 image (1,C,H,W).
        """
        latents = picture.latents
        for name, strength in strengths.items():
            if strength:
                latents = move(latents, self.directions[name], strength)
        return batches.decode(self.model, latents, picture.labels)

    def redrawn(
        self,
        picture: Encoded,
        levels: Sequence[int],
        temperature: float = TEMPERATURE,
        seed: int = 0,
        n: int = 6,
    ) -> Tensor:
        """Draw some levels of an image again, several times.

        Args:
            picture: The image.
            levels: Numbers of levels, from 1, the finest.
            temperature: The temperature of the new noise.
            seed: The seed of the new noise.
            n: The number of draws.

        Returns:
            uint8 images (n,C,H,W).
        """
        repeated = picture.latents.map(lambda eps: eps.expand(n, *eps.shape[1:]))
        generator = torch.Generator().manual_seed(seed)
        latents = resample(self.model, repeated, levels, temperature, generator)
        labels = None if picture.labels is None else picture.labels.expand(n)
        return batches.decode(self.model, latents, labels)

    def coarse_to_fine(self, picture: Encoded) -> Tensor:
        """Decode an image from its coarsest level alone, then from more and more levels.

        Args:
            picture: The image.

        Returns:
            uint8 images (L,C,H,W).
        """
        latents = [
            keep_levels(picture.latents, range(first, self.n_levels + 1)).flatten()
            for first in range(self.n_levels, 0, -1)
        ]
        labels = None if picture.labels is None else picture.labels.expand(self.n_levels)
        return self._decode(torch.cat(latents), labels)

    def parts(self, picture: Encoded) -> Parts:
        """Return the bits/dim of an image and its parts."""
        return likelihood_parts(self.model, picture.images, picture.labels)

    def _decode(self, vectors: Tensor, labels: Tensor | None) -> Tensor:
        latents = Latents.unflatten(vectors, self.model.latent_shapes)
        return batches.decode(
            self.model, latents, None if labels is None else labels.expand(len(vectors))
        )


def _usable(directions: Directions) -> dict[str, Latents]:
    """Return the directions that could be estimated, by name."""
    found = {}
    for name in directions.names:
        try:
            found[name] = directions[name]
        except ValueError:  # no image has the attribute, or all have it
            continue
    return found
