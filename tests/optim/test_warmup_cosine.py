import math
from itertools import pairwise

import pytest

from glow.optim import WarmupCosine
from tests.optim.schedules import rates, sgd


def test_it_rises_to_one_and_falls_to_nothing() -> None:
    found = rates(WarmupCosine(sgd(lr=2.0), total_steps=11, warmup_steps=4), 13)
    assert found[:4] == [0.5, 1.0, 1.5, 2.0]
    assert found[7] == pytest.approx(1.0)  # half way down, from step 4 to step 12
    assert all(a > b > 0 for a, b in pairwise(found[3:11]))
    assert found[11:] == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize(("total_steps", "warmup_steps"), [(10, 10), (math.inf, 10), (10, 0)])
def test_a_run_that_is_too_short_or_endless_is_told(total_steps: float, warmup_steps: int) -> None:
    with pytest.raises(ValueError, match=f"got a run of {total_steps} steps"):
        WarmupCosine(sgd(lr=1.0), total_steps, warmup_steps)
