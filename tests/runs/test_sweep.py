"""Sweeps: which jobs run, which are skipped, and what the results are."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from glow.runs.record import sweep_record, write
from glow.runs.report import tables
from glow.runs.run_folder import RunFolder
from glow.runs.sweep import cells, job_name, read_sweep, run_once
from tests.data.pictures import write_cifar10_pictures
from tests.paths import CONF, ROOT
from tests.running import TINY, call, compose_train, refusal

COMMAND = [sys.executable, str(ROOT / "experiments" / "train.py"), "-m", *TINY]
SMALL = ("~callbacks.progress", "data.batch_size=8", "data.n_val=10", "trainer.max_steps=3")
LEVELS = ("model.n_levels=1,2,3,6", "data=cifar10", "name=levels")


def environment(**others: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **others}


def started(output: str) -> list[str]:
    """Return the folders of the jobs that were started, from what was printed."""
    lines = [line for line in output.splitlines() if line.startswith("training in ")]
    return [Path(line.removeprefix("training in ")).name for line in lines]


@pytest.fixture(scope="module")
def stopped_and_started_again(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Four jobs, of which that with 6 levels fails; killed halfway, and started again.

    Returns the sweep's folder and what the second start printed.
    """
    place = tmp_path_factory.mktemp("sweep")
    write_cifar10_pictures(place / "data")
    options: dict[str, Any] = {"cwd": place, "env": environment(), "stdout": subprocess.PIPE}
    command = [*COMMAND, *SMALL, *LEVELS]
    sweep = place / "runs" / "levels" / "sweep"
    with subprocess.Popen(command, **options) as first:
        while first.poll() is None and len(list(sweep.glob("*/summary.json"))) < 1:
            time.sleep(0.05)
        first.kill()
    assert 1 <= len(list(sweep.glob("*/summary.json"))) < 3
    before = {path: path.stat().st_mtime_ns for path in sweep.glob("*/summary.json")}
    second = subprocess.run(command, text=True, **options)
    assert second.returncode == 1  # as one job has failed
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert not {path.parent.name for path in before} & set(started(second.stdout))
    return sweep, second.stdout


@pytest.mark.slow
def test_a_sweep_that_was_stopped_runs_what_is_missing(
    stopped_and_started_again: tuple[Path, str],
) -> None:
    folder, output = stopped_and_started_again
    sweep = read_sweep(folder)
    assert [run.summary["steps"] for run in sweep.runs] == [3] * 3
    [failure] = sweep.failed
    assert "n_levels=6 needs at least one level" in failure.read_text()
    assert "Traceback" in failure.read_text()
    assert "3 finished, 1 failed" in output


@pytest.mark.slow
def test_no_job_runs_twice(
    stopped_and_started_again: tuple[Path, str],
) -> None:
    folder, _ = stopped_and_started_again
    command = [*COMMAND, *SMALL, *LEVELS]
    options: dict[str, Any] = {"cwd": folder.parents[2], "env": environment(), "text": True}
    again = subprocess.run(command, capture_output=True, **options)
    assert started(again.stdout) == []
    assert again.stdout.count("finished before") == 3
    assert "retry_failed=true runs it again" in again.stdout


@pytest.mark.slow
def test_a_sweep_is_drawn_and_recorded(
    stopped_and_started_again: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, _ = stopped_and_started_again
    factors = ("panels=null", "lines=model.n_levels")
    call(monkeypatch, "plot_sweep", f"sweep={folder}", *factors, f"output={tmp_path}/a.png")
    assert Image.open(tmp_path / "a.png").width > 400
    assert Image.open(tmp_path / "a_samples.png").width > 400
    output = capsys.readouterr().out
    runs = {run.overrides["model.n_levels"]: run for run in read_sweep(folder).runs}
    assert f"{runs['3'].summary['test']['bits_per_dim']:.4f}" in output
    assert "failed and left out" in output
    record = sweep_record(folder, None, "model.n_levels")
    assert [cell["line"] for cell in record["cells"]] == ["1", "2", "3"]
    assert "train.py -m " in record["command"]
    assert record["command"].endswith("model.n_levels=1,2,3")
    assert str(folder.parents[2]) not in json.dumps(record)
    write(record, "levels", tmp_path)
    assert "| 3 | " in tables(tmp_path)["sweep levels"]
    message = refusal(monkeypatch, "plot_sweep", f"sweep={folder}")
    assert re.search("model/coupling was not overridden .*model.n_levels", message)


def test_cells_are_means_over_seeds(tmp_path: Path) -> None:
    bits = {("additive", 0): 3.0, ("additive", 1): 4.0, ("affine", 0): 2.0}
    for (coupling, seed), value in bits.items():
        job = tmp_path / f"{coupling}-{seed}"
        job.mkdir()
        overrides = [f"model/coupling={coupling}", f"seed={seed}"]
        summary = {"overrides": overrides, "test": {"bits_per_dim": value}}
        (job / "summary.json").write_text(json.dumps(summary))
    first, second = cells(read_sweep(tmp_path).runs, None, "model/coupling")
    assert (first.line, first.mean, len(first.runs)) == ("additive", 3.5, 2)
    assert first.std == pytest.approx(0.5**0.5)
    assert (second.mean, second.std) == (2.0, None)


SEVERAL = ("hydra.launcher.tasks_per_node=2", "trainer=ddp", "trainer.devices=2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "options"), [("local", ()), ("submitit_local", ()), ("submitit_local", SEVERAL)]
)
def test_launchers_run_jobs_and_go_on_after_a_failure(
    launcher: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    digits = ("~callbacks.progress", "model.n_levels=1,9", "name=d", "trainer.max_epochs=1")
    command = [*COMMAND, *digits, f"hydra/launcher={launcher}", *options]
    subprocess.run(
        command, cwd=tmp_path, env=environment(), check=False, capture_output=True, timeout=300
    )
    sweep = read_sweep(tmp_path / "runs" / "d" / "sweep")
    [run] = sweep.runs
    assert run.summary["steps"] == (10 if options else 20)
    [failure] = sweep.failed
    assert "n_levels=9" in failure.read_text()


QUICK = (*TINY, "trainer.max_steps=1", "callbacks.samples=null", "~callbacks.progress")


@pytest.mark.slow
def test_a_sweep_over_folders_trains_on_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, gray in {"dark": 40, "light": 200}.items():
        (tmp_path / name).mkdir()
        for number in range(200):
            Image.new("L", (8, 8), gray + number % 5).save(tmp_path / name / f"{number}.png")
    pictures = ("data=folder", "data.image_shape=[1,8,8]", "data.batch_size=8", "name=gray")
    roots = f"data.root={tmp_path}/dark,{tmp_path}/light"
    call(monkeypatch, "train", "-m", *QUICK, *pictures, roots)
    assert "2 finished, 0 failed" in capsys.readouterr().out
    runs = read_sweep(tmp_path / "runs" / "gray" / "sweep").runs
    images = {run.path: RunFolder(run.path).read_config().plan.images for run in runs}
    assert len(set(images.values())) == 2
    fixed = f"run_dir={tmp_path}/fixed"
    call(monkeypatch, "train", *QUICK, *pictures, fixed, f"data.root={tmp_path}/dark")
    other = (fixed, f"data.root={tmp_path}/light", "trainer.max_steps=2")
    message = refusal(monkeypatch, "train", *QUICK, *pictures, *other)
    assert "was trained on other images or labels" in message
    (tmp_path / "dark").rename(tmp_path / "moved")
    moved = (fixed, f"data.root={tmp_path}/moved", "trainer.max_steps=2")
    call(monkeypatch, "train", *QUICK, *pictures, *moved)
    assert RunFolder(tmp_path / "fixed").read_summary()["steps"] == 2


@pytest.mark.slow
def test_a_sweep_reports_what_ran_wherever_it_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    experiments = ("experiment=digits,mnist", "model.n_levels=3")  # 28 halves only twice
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, "train", "-m", *QUICK, *experiments)
    assert ended.value.code == 1
    output = capsys.readouterr().out
    where = ", ".join(f"{tmp_path}/runs/{name}/sweep" for name in ("digits", "mnist"))
    assert f"1 finished, 1 failed: {where}\n" in output
    [failure] = (tmp_path / "runs" / "mnist" / "sweep").glob("*/failure.txt")
    assert str(failure) in output


def test_the_slurm_launcher_composes() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["hydra/launcher=slurm"], return_hydra_config=True)
    assert config.hydra.launcher._target_.endswith("SlurmLauncher")
    assert config.hydra.launcher.gpus_per_node == 1


def test_a_cell_marks_variational_bounds_and_knows_the_seconds(tmp_path: Path) -> None:
    for number, bound in enumerate(("V", "U")):
        job = tmp_path / str(number)
        job.mkdir()
        summary = {"overrides": [f"a={bound}"], "test": {"bits_per_dim": 3.0}, "bound": bound}
        (job / "summary.json").write_text(json.dumps(summary))
        rows = "epoch,val/bits_per_dim,val/seconds\n0,5.0,1.5\n0,,\n1,4.0,2.5\n1,4.5,3.5\n"
        (job / "metrics.csv").write_text(rows)
    runs = read_sweep(tmp_path).runs
    assert {cell.line: cell.mark for cell in cells(runs, None, "a")} == {"U": "", "V": " V"}
    assert runs[0].clock == [(1.5, 5.0), (3.5, 4.5)]
    assert runs[0].curve == [(1, 5.0), (2, 4.5)]


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["model/permutation=reverse", "seed=0"], "permutation-reverse_seed-0"),
        (["model.n_steps=4", "optimizer.lr=1e-3"], "n_steps-4_lr-1e-3"),
        (["trainer.max_time='00:01'", "data.x=/a/b"], "max_time-00-01_x-a-b"),
        (["pairs=[[3,4],[0,11]]"], "pairs-3-4-0-11"),
        (["~callbacks.samples", "+data.x=1", "name=a"], "samples_x-1"),
        ([], "job"),
    ],
)
def test_folder_names_are_safe_in_shells(overrides: list[str], name: str) -> None:
    readable, _, checksum = job_name(overrides).rpartition("-")
    assert readable == name
    assert re.fullmatch("[0-9a-f]{8}", checksum)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["data.root=/p/red"], ["data.root=/p/blue"]),
        (["experiment=digits"], ["experiment=mnist"]),
        (["name=a"], ["name=b"]),
        (["x=1"], ["x=-1"]),
        (["x=1"], ["+x=1"]),
        (["x=1"], ["x= 1"]),
        (["x=[1,2]"], ["x=[12]"]),
        (["x='a b'"], ["x=a-b"]),
        (["a.x=1"], ["b.x=1"]),
        (["x=1", "y=2"], ["x=1_y-2"]),
        (["a/x=1"], ["a.x=1"]),
        (["~callbacks.samples"], ["+callbacks.samples"]),
        (["x=1", "x=2"], ["x=2", "x=1"]),  # the last one counts
        (["x=\u00e9"], ["x=\udce9"]),
        (["x=" + "y" * 300 + "1"], ["x=" + "y" * 300 + "2"]),
    ],
)
def test_jobs_that_differ_have_other_folders(first: list[str], second: list[str]) -> None:
    names = {job_name(first), job_name(second)}
    assert len(names) == 2
    assert max(map(len, names)) < 255


def test_what_cannot_change_the_result_is_left_out_of_a_name() -> None:
    omitted = ("retry_failed", "data.cache_dir")
    others = ["retry_failed=true", "++data.cache_dir=/tmp"]
    assert job_name(["seed=1", *others], omitted) == job_name(["seed=1"], omitted)


def test_a_longer_run_continues_and_a_repaired_failure_is_forgotten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    short, long = (compose_train(tmp_path, f"trainer.max_epochs={n}") for n in (1, 2))
    called: list[int] = []

    def run() -> float:
        called.append(1)
        folder.write_config(short)
        folder.write_json("summary.json", {"best_validation": 2.5})
        return 2.5

    def fail() -> float:
        raise OSError("disk full")

    assert run_once(folder, short, fail, retry_failed=False) is None
    assert "disk full" in folder.failure.read_text()
    assert run_once(folder, short, run, retry_failed=False) is None
    assert run_once(folder, short, run, retry_failed=True) == 2.5
    assert not folder.failure.exists()
    assert run_once(folder, short, run, retry_failed=True) == 2.5
    assert len(called) == 1
    assert run_once(folder, long, run, retry_failed=False) == 2.5
    assert len(called) == 2
