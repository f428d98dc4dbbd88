"""Images with their latents, which the page moves, mixes and takes apart."""

from dataclasses import dataclass

from torch import Tensor

from glow.latents import Latents

CORNERS = 4


@dataclass(frozen=True)
class Encoded:
    """Images and their latents.

    Args:
        images: uint8 (B,C,H,W).
        latents: What the model encodes them as.
        labels: Their classes (B,), if the model has classes.
        names: A name to show for each.
    """

    images: Tensor
    latents: Latents
    labels: Tensor | None
    names: list[str]


def check_ends(n: int) -> None:
    """Raise ``ValueError`` unless there are two or four images to go between."""
    if n not in (2, CORNERS):
        pictures = "1 picture" if n == 1 else f"{n} pictures"
        raise ValueError(f"choose two pictures, or four for a square; got {pictures}")
