"""The tour through the paper, with the models that come with Glow."""

import re
import runpy
from pathlib import Path

import pytest

from tests.paths import ROOT

TOUR = ROOT / "experiments" / "tour.py"


@pytest.mark.slow
def test_the_tour_runs_and_says_what_is_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(TOUR))
    pictures = {path.stem for path in tmp_path.glob("runs/tour/*.png")}
    levels = {"levels_drawn_again", "levels_decoded"}
    assert pictures == {*levels, "temperatures", "interpolation", "attributes"}
    printed = capsys.readouterr().out
    assert "the same, byte by byte: True" in printed
    errors = [float(error) for error in re.findall(r"undone to (\S+)", printed)]
    assert len(errors) >= 2
    assert max(errors) < 1e-4
    straight, circle = map(float, re.findall(r"latents are ([\d.]+) times as long", printed))
    assert straight < 0.85 < circle
    own, gray = map(float, re.findall(r"(?:samples|gray): ([\d.]+) bits/dim", printed))
    assert gray < own  # likelihood misleads
    parts = [float(n) for n in re.findall(r"([+-][\d.]+) of (?:noise|volume)", printed)]
    [whole, total] = (
        float(re.search(rf"{word} +([+-][\d.]+)", printed)[1])  # type: ignore[index]
        for word in ("dequantization", "together")
    )
    assert whole + sum(parts) == pytest.approx(total, abs=0.005)


def test_the_tour_is_a_notebook_in_the_percent_format() -> None:
    cells = TOUR.read_text().split("\n# %%")[1:]
    texts = [cell for cell in cells if cell.startswith(" [markdown]\n")]
    assert len(texts) > 8
    for text in texts:
        assert all(line.startswith("#") for line in text.strip().splitlines()[1:])
