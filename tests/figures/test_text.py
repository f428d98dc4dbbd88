"""Names of any characters in figures."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from glow.analysis.out_of_distribution import Scores
from glow.figures import image_table, likelihoods, save
from glow.figures.curves import sweep_curves

NAMES = [
    r"cost $5 and $\frac{",
    "_hidden",
    "new\nline",
    "bell\x07 and \x1b[31m",
    os.fsdecode(b"latin \xe9"),
    "\u202eright to left",
    "\u6f22\u5b57 \U0001f600",
    "%s {} \\ & # ~ ^",
    "x" * 300,
    "",
]


def draw_table(name: str, path: Path) -> None:
    row = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    save(image_table([row], name, [name], [name, name]), path)


def draw_likelihoods(name: str, path: Path) -> None:
    values = torch.linspace(1, 2, 20)
    scores = Scores(values, values)
    save(likelihoods({"own": scores, name: scores}, name), path)


def draw_curves(name: str, path: Path) -> None:
    save(sweep_curves({name: {name: [[(1, 3.0), (2, 2.5)]]}}, "title"), path)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("draw", [draw_table, draw_likelihoods, draw_curves])
def test_names_of_any_characters_are_drawn(
    draw: Callable[[str, Path], None], name: str, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        warnings.simplefilter("error", SyntaxWarning)
        draw(name, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as picture:
        assert min(picture.size) > 100
        assert max(picture.size) < 6000
