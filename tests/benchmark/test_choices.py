import pytest
import torch

from glow.benchmark import Choice, choices

SIZE = {"channels": 4, "width": 6, "side": 5, "batch_size": 2, "n_steps": 3, "device": "cpu"}


@pytest.mark.parametrize("choice", choices(**SIZE), ids=lambda choice: choice.name)  # type: ignore[arg-type]
def test_both_ways_compute_the_same(choice: Choice) -> None:
    expected = choice.plain()
    assert expected.abs().max() > 0
    torch.testing.assert_close(choice.chosen(), expected)
    torch.testing.assert_close(choice.chosen(), expected)  # also when it is run again
