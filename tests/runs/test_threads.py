from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import torch

from glow.runs.threads import use_threads


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("busy", "n_threads"), [(0, 8), (24, 6), (50, 4), (99, 1), (100, 1)])
def test_threads_follow_the_idle_cores(
    busy: float, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def percent(**_: Any) -> float:
        return busy

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(psutil, "cpu_percent", percent)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 8)
    monkeypatch.setattr("glow.runs.threads.AVAILABLE", 8)
    torch.set_num_threads(2)
    assert use_threads() == n_threads
    assert torch.get_num_threads() == n_threads


def test_given_threads_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert use_threads(3) == torch.get_num_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(psutil, "cpu_percent", lambda **_: 100.0)
    assert use_threads() == 3
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        use_threads(0)
