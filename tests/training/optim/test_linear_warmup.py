import pytest

from glow.training.optim import LinearWarmup
from tests.training.optim.schedules import rates, sgd


def test_it_rises_stays_and_falls_to_its_floor() -> None:
    schedule = LinearWarmup(sgd(lr=2.0), 4, decay_from=6, decay=0.5, floor=0.25)
    assert rates(schedule, 10) == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 1.0, 0.5, 0.5]
    assert rates(LinearWarmup(sgd(lr=2.0), 2), 5) == [0.0, 1.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup_steps": -1}, "warmup_steps must be at least 0, got -1"),
        ({"warmup_steps": 1, "decay": 1.1}, "decay must be from 0 to 1, got 1.1"),
        ({"warmup_steps": 1, "floor": -0.1}, "floor must be from 0 to 1, got -0.1"),
    ],
)
def test_numbers_out_of_range_raise(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinearWarmup(sgd(lr=1.0), **options)  # type: ignore[arg-type]
