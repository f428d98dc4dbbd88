import pytest
import torch

from glow.training.optim import warm_ema_


@pytest.mark.parametrize(("n", "expected"), [(0, 0.1), (8, 0.5), (10**6, 0.9)])
def test_the_memory_grows_up_to_the_decay(n: int, expected: float) -> None:
    averages, weights = [torch.tensor([1.0])], [torch.tensor([0.0])]
    warm_ema_(averages, weights, torch.tensor(n), decay=0.9)
    assert averages[0].item() == pytest.approx(expected)
    assert weights[0].item() == 0.0
