import pytest

from glow.training.optim import InverseSqrt
from tests.training.optim.schedules import rates, sgd


def test_it_rises_to_one_and_falls_with_the_root() -> None:
    factors = rates(InverseSqrt(sgd(lr=1.0), warmup_steps=4), 400)
    assert [factors[step] for step in (0, 1, 3, 15, 399)] == [0.25, 0.5, 1.0, 0.5, 0.1]


def test_no_warm_up_raises() -> None:
    with pytest.raises(ValueError, match="warmup_steps must be at least 1, got 0"):
        InverseSqrt(sgd(lr=1.0), warmup_steps=0)
