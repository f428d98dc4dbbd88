import pytest
import torch

from glow import figures
from glow.analysis.out_of_distribution import Scores


def test_both_scores_of_all_sets_are_drawn() -> None:
    own = Scores(
        torch.tensor([3.0, 3.1, 3.2], dtype=torch.float64),
        torch.tensor([5.0, 5.0, 5.0], dtype=torch.float64),
    )
    other = Scores(
        torch.tensor([1.0, 1.0], dtype=torch.float64), torch.tensor([1.0, 1.0], dtype=torch.float64)
    )
    figure = figures.likelihoods({"faces": own, "plain": other}, "A title")
    raw, less_png = figure.axes
    legend = raw.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["faces", "plain"]
    assert "misleads" in raw.get_title()
    assert "PNG" in less_png.get_title()
    for axes in (raw, less_png):
        heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
        assert [round(sum(bars), 6) for bars in heights] == [1, 1]
        assert axes.get_xlabel().startswith("bits/dim")


def test_images_without_any_finite_likelihood_raise() -> None:
    lost = Scores(torch.full((3,), torch.inf), torch.zeros(3))
    with pytest.raises(
        ValueError, match="no image of the model's own data set has a finite likelihood"
    ):
        figures.likelihoods({"own": lost}, "A title")


def test_distant_values_do_not_hide_the_rest() -> None:
    own = Scores(
        torch.tensor([1.0, 1.5, 2.0], dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    )
    noise = Scores(torch.tensor([9000.0], dtype=torch.float64), torch.zeros(1, dtype=torch.float64))
    for axes in figures.likelihoods({"own": own, "noise": noise}, "A title").axes:
        assert axes.get_xlim()[1] < 7
        heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
        assert heights[1][-1] == 1
