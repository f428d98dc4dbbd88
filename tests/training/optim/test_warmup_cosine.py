import math
from itertools import pairwise

import pytest

from glow.training.optim import WarmupCosine
from tests.training.optim.schedules import rates, sgd


def test_it_rises_to_one_and_falls_to_zero() -> None:
    found = rates(WarmupCosine(sgd(lr=2.0), total_steps=11, warmup=0.3), 13)
    assert found[:4] == [0.5, 1.0, 1.5, 2.0]
    assert found[7] == pytest.approx(1.0)  # halfway down, from step 4 to step 12
    assert all(a > b > 0 for a, b in pairwise(found[3:11]))
    assert found[11:] == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize("total_steps", [1, 2, 20])
def test_short_runs_have_rates_too(total_steps: int) -> None:
    assert all(0 < rate <= 1 for rate in rates(WarmupCosine(sgd(lr=1.0), total_steps), total_steps))


@pytest.mark.parametrize(("total_steps", "warmup"), [(math.inf, 0.1), (10, 1.0), (10, -0.1)])
def test_a_run_without_end_or_a_wrong_warm_up_raises(total_steps: float, warmup: float) -> None:
    with pytest.raises(ValueError, match=f"got warmup={warmup} and {total_steps} steps"):
        WarmupCosine(sgd(lr=1.0), total_steps, warmup)
