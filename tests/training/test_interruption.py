"""A run that a signal stops loses nothing, wherever it was."""

import csv
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import glow
from glow import checkpoint
from glow.runs import train as run
from glow.runs.train import train
from glow.system.interruption import Stopped
from glow.training import ImageFlowModule
from tests.running import compose_train

OPTIONS = (
    "trainer.limit_train_batches=6",
    "trainer.limit_val_batches=3",
    "trainer.limit_test_batches=1",
    "data.eval_batch_size=20",
    "trainer.max_epochs=3",
    "trainer.log_every_n_steps=1",
    "callbacks.samples=null",
    "optimizer.lr=0.01",
)
KINDS = {
    "averages": ("callbacks=ema", "callbacks.samples=null"),
    "accumulation": ("trainer.accumulate_grad_batches=3",),
    "reverse": ("model.memory=reverse",),
    "recompute": ("model.memory=recompute", "callbacks=ema", "callbacks.samples=null"),
    "shifts": ("data.max_shift=0.2", "scheduler=warmup_cosine"),
}
MOMENTS = {
    "step": "{moment:on_train_batch_start,count:8}",
    "last batch of an epoch": "{moment:on_train_batch_start,count:11}",
    "first batch of an epoch": "{moment:on_train_epoch_start,count:1}",
    "validation": "{moment:on_validation_batch_start,count:4}",  # the second batch of the second
    "last batch of a validation": "{moment:on_validation_batch_start,count:5}",
    "end of a validation": "{moment:on_validation_end,count:1}",
    "last step": "{moment:on_train_batch_start,count:17}",
    "end": "{moment:on_train_end}",
}


def state(folder: Path) -> dict[str, Any]:
    """Return everything that the end of a run depends on."""
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    names = ("state_dict", "current_model_state", "averaging_state", "optimizer_states")
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    kept = {name: content[name] for name in (*names, "lr_schedulers") if name in content}
    return {**kept, "best": best["state_dict"], "step": content["global_step"]}


def rows(folder: Path) -> list[dict[str, str]]:
    """Return what was logged, except for how fast it was."""
    with (folder / "metrics.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    clocks = ("per_second", "val/seconds")
    return [{k: v for k, v in row.items() if v and not k.endswith(clocks)} for row in found]


@pytest.fixture(autouse=True, scope="module")
def _without_figures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "_draw_figures", lambda *_: [])
        yield


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was never stopped, which is named after its kind."""
    folder = tmp_path_factory.mktemp("whole") / str(request.param)
    train(compose_train(folder, *OPTIONS, *KINDS[request.param]))
    return folder


QUICK = [("averages", moment) for moment in ("step", "validation", "last step")]
LONG = [
    pytest.param(kind, moment, marks=pytest.mark.faults)
    for kind, moments in {
        **dict.fromkeys(KINDS, ("step", "validation")),
        "averages": MOMENTS,
    }.items()
    for moment in moments
    if (kind, moment) not in QUICK
]


@pytest.mark.slow
@pytest.mark.parametrize(("whole", "moment"), [*QUICK, *LONG], indirect=["whole"])
def test_a_stopped_run_ends_like_one_that_was_not(moment: str, whole: Path, tmp_path: Path) -> None:
    options = (*OPTIONS, *KINDS[whole.name])
    # What shows progress may differ when a run resumes.
    sent = f"{MOMENTS[moment][:-1]},_target_:tests.spies.Signal}}"
    with pytest.raises(Stopped) as stopped:
        train(compose_train(tmp_path, *options, f"+callbacks.progress={sent}"))
    assert stopped.value.code == 128 + signal.SIGTERM
    if moment != "last batch of a validation":
        assert f"run_dir={tmp_path} resumes after step" in stopped.value.message
    glow.load(tmp_path / "checkpoints" / "last.ckpt")
    train(compose_train(tmp_path, *options, "data.num_workers=1"))
    torch.testing.assert_close(state(tmp_path), state(whole), rtol=0, atol=0)
    assert rows(tmp_path) == rows(whole)


@pytest.mark.slow
@pytest.mark.parametrize("whole", ["averages"], indirect=True)
def test_a_killed_run_logs_every_step_once(whole: Path, tmp_path: Path) -> None:
    """Its last checkpoint is two steps older than the last row."""
    options = (*OPTIONS, *KINDS["averages"])

    def cut(self: ImageFlowModule, *_: object) -> None:
        if self.global_step == 9:
            raise RuntimeError("power cut")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ImageFlowModule, "on_train_batch_start", cut)
        with pytest.raises(RuntimeError, match="power cut"):
            train(compose_train(tmp_path, *options))
    steps = [int(row["step"]) for row in rows(tmp_path) if "train/bits_per_dim" in row]
    assert steps == list(range(9))
    assert checkpoint.steps_done(tmp_path / "checkpoints" / "last.ckpt") == 6
    train(compose_train(tmp_path, *options))
    assert rows(tmp_path) == rows(whole)
