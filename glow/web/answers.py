"""What the page answers to a move of each control, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glow.analysis.interpolation import Interpolant, linear, norm_preserving, spherical
from glow.data.image_file import read_file
from glow.web import html
from glow.web.encoded import CORNERS, Encoded, check_ends
from glow.web.explorer import Explorer

INTERPOLANTS: dict[str, Interpolant] = {
    "spherical": spherical,
    "linear": linear,
    "norm-preserving": norm_preserving,
}
STRIP = 9  # images of a walk, and along a side of the overview between two
SQUARE = 5  # images along a side of the overview between four
MOST_FILES = 4


class Answers:
    """One function for each control of the page. They depend on their arguments alone.

    Args:
        explorer: The model, and what can be asked of it.
        name: The name of the model, with which the names of downloaded files begin.
    """

    def __init__(self, explorer: Explorer, name: str) -> None:
        self.explorer = explorer
        self.name = name

    def samples(self, seed: int, label: int | None, *temperatures: float) -> str:
        """Return samples at one temperature per level, finest first."""
        images = self.explorer.samples(temperatures, int(seed), label=label)
        return html.pictures(images, file=f"{self.name}_samples_seed{seed}")

    def place(self, seed: int, label: int | None, temperature: float, position: float) -> str:
        """Return the image at one place of a walk."""
        images = self.explorer.walk([position], temperature, int(seed), label)
        file = f"{self.name}_walk_seed{seed}_{position:.2f}"
        return html.pictures(images, columns=1, file=file, kind="large")

    def strip(self, seed: int, label: int | None, temperature: float) -> str:
        """Return images along a whole walk; the last is the first."""
        positions = [i / (STRIP - 1) for i in range(STRIP)]
        images = self.explorer.walk(positions, temperature, int(seed), label)
        names = [f"{position:.2f}" for position in positions]
        file = f"{self.name}_walk_seed{seed}"
        return html.pictures(images, names, STRIP, file=file, kind="strip")

    def between(self, ends: Encoded, way: str, across: float, down: float) -> str:
        """Return the image at one place between two images or four."""
        image = self.explorer.between(ends, across, down, INTERPOLANTS[way])
        return html.pictures(image, columns=1, file=f"{self.name}_between", kind="large")

    def overview(self, ends: Encoded, way: str) -> str:
        """Return images along the line between two images, or over the square between four."""
        side = SQUARE if len(ends.images) == CORNERS else STRIP
        images = self.explorer.overview(ends, side, INTERPOLANTS[way]).flatten(0, 1)
        file = f"{self.name}_between_{way}"
        kind = "strip square" if side == SQUARE else "strip"
        return html.pictures(images, columns=side, file=file, kind=kind)

    def ends(self, paths: Sequence[str | Path]) -> tuple[Encoded, str]:
        """Read two or four picture files; return them encoded, and what was done to them.

        Raises:
            ValueError: If there is another number of files, or one is not a picture.
        """
        check_ends(len(paths))
        return self.read(paths)

    def read(self, paths: Sequence[str | Path]) -> tuple[Encoded, str]:
        """Read picture files; return them encoded, and what was done to them.

        Raises:
            ValueError: If one is not a picture.
        """
        if len(paths) > MOST_FILES:
            raise ValueError(f"choose at most {MOST_FILES} pictures, got {len(paths)}")
        files = [(Path(path).name, read_file(Path(path))) for path in paths]
        encoded, notes = self.explorer.read(files)
        return encoded, "; ".join(notes)

    def seen(self, picture: Encoded) -> str:
        """Return an image as the model sees it."""
        images = self.explorer.model.dequantizer.quantize(picture.images)
        return html.pictures(images, picture.names, 1, kind="small")

    def moved(self, picture: Encoded, names: Sequence[str], *strengths: float) -> str:
        """Return an image, and the same moved along the directions of attributes."""
        along = dict(zip(names, strengths, strict=True))
        image = self.explorer.moved(picture, along)
        return html.pictures(image, columns=1, file=f"{self.name}_moved", kind="large")

    def redrawn(
        self, picture: Encoded, levels: Sequence[int], temperature: float, seed: int
    ) -> str:
        """Return an image with some levels drawn again, several times."""
        images = self.explorer.redrawn(picture, levels, temperature, int(seed))
        chosen = "".join(str(level) for level in sorted(levels)) or "none"
        return html.pictures(images, columns=3, file=f"{self.name}_level{chosen}_drawn_again")

    def coarse_to_fine(self, picture: Encoded) -> str:
        """Return an image decoded from its coarsest level, then from more and more levels."""
        last = self.explorer.n_levels
        names = [
            f"level {last}" if level == last else f"levels {level} to {last}"
            for level in range(last, 0, -1)
        ]
        images = self.explorer.coarse_to_fine(picture)
        return html.pictures(images, names, last, file=f"{self.name}_levels")

    def bits(self, picture: Encoded) -> str:
        """Return the bits/dim of an image and its parts."""
        return html.bars(self.explorer.parts(picture))
