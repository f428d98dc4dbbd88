import pytest
import torch

from glow.optim import InverseSqrt


def test_it_rises_to_one_and_falls_with_the_root() -> None:
    factor = InverseSqrt(warmup_steps=4)
    assert [factor(step) for step in (0, 1, 3)] == [0.25, 0.5, 1.0]
    assert factor(15) == 0.5
    assert factor(399) == 0.1


def test_its_state_is_plain_python() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=2.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, InverseSqrt(10))
    assert schedule.state_dict()["lr_lambdas"] == [{"warmup_steps": 10}]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2)


def test_no_warm_up_is_told() -> None:
    with pytest.raises(ValueError, match="warmup_steps must be at least 1, got 0"):
        InverseSqrt(0)
