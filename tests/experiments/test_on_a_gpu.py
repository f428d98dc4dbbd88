"""Programs on a GPU, if there is one."""

import json
from pathlib import Path

import pytest

from tests.devices import ON_GPU
from tests.running import TINY, call

pytestmark = list(ON_GPU)


def test_a_run_is_trained_resumed_evaluated_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = ("experiment=digits", "recipe=modern", "compiled=true", "scheduler=constant")
    on_gpu = (*TINY, "trainer.accelerator=gpu", "run_dir=run")
    call(monkeypatch, "train", *recipe, *on_gpu)
    first = json.loads(Path("run/summary.json").read_text())
    call(monkeypatch, "train", *recipe, *on_gpu, "trainer.max_epochs=3")
    longer = json.loads(Path("run/summary.json").read_text())
    assert longer["steps"] == 3 * first["steps"]
    assert longer["test"]["bits_per_dim"] < first["test"]["bits_per_dim"]
    call(monkeypatch, "evaluate", "checkpoint=run", "trainer.accelerator=cpu")
    call(monkeypatch, "evaluate", "checkpoint=run", "trainer.accelerator=gpu")
    for program in ("sample", "interpolate", "levels", "out_of_distribution"):
        call(monkeypatch, program, "checkpoint=run", "device=cuda")
    results = [json.loads(p.read_text()) for p in Path("run").rglob("*.json")]
    bits = [r["weights"]["averaged"]["bits_per_dim"] for r in results if "weights" in r]
    assert bits == [pytest.approx(longer["test"]["bits_per_dim"], abs=1e-4)] * len(bits) != []
