"""The programs that train densities over vectors, from the command line to their files."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from glow import checkpoint, figures
from glow.runs.run_folder import RunFolder
from tests.running import call, refusal

QUICK = ("steps=3", "n_evaluated=50", "batch_size=20", "flow.n_layers=2")
SMALL = (*QUICK, "animation_frames=0")


def start(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> RunFolder:
    call(monkeypatch, "density2d", f"run_dir={folder}", *arguments)
    return RunFolder(folder)


def test_a_run_leaves_what_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(monkeypatch, tmp_path / "run", "flow=planar", *QUICK, "animation_frames=3")
    files = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    assert files - {".lock"} == {
        "config.yaml",
        "metrics.csv",
        "summary.json",
        "checkpoints/last.ckpt",
        "figures/sheet.png",
        "figures/flow.gif",
    }
    summary = run.read_summary()
    assert (summary["flow"], summary["target"]) == ("planar", "two_moons")
    assert summary["test"]["vectors"] == 50
    assert summary["test"]["nats"] > summary["entropy"] > 2
    assert summary["reverse_kl"]["mean"] > 0
    assert summary["overrides"][1] == "flow=planar"
    density = checkpoint.load_density(RunFolder.checkpoint_at(run.path))
    assert summary["parameters"] == sum(p.numel() for p in density.parameters())
    assert len(run.metrics.read_text().splitlines()) == 4
    with Image.open(run.figures / "flow.gif") as gif:
        assert gif.n_frames == 4  # type: ignore[attr-defined]
    with Image.open(run.figures / "sheet.png") as sheet:
        assert sheet.width > 800


def test_a_potential_is_learned_from_the_samples_of_the_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("flow=maf", "target=potential_2", "objective=variational", *SMALL)
    summary = start(monkeypatch, tmp_path / "run", *arguments).read_summary()
    assert "test" not in summary
    assert summary["reverse_kl"]["mean"] > 0
    assert (tmp_path / "run" / "figures" / "sheet.png").is_file()


@pytest.mark.slow
def test_a_sweep_ends_with_one_sheet_and_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[Mapping[str, Mapping[str, Tensor]]] = []
    table = figures.densities_table

    def spy(rows: Mapping[str, Mapping[str, Tensor]], columns: Sequence[str], title: str) -> Figure:
        drawn.append(rows)
        return table(rows, columns, title)

    monkeypatch.setattr(figures, "densities_table", spy)
    where = (f"hydra.sweep.dir={tmp_path}", "flow=linear", *SMALL)
    call(monkeypatch, "density2d", "-m", "target=two_moons,checkerboard", *where)
    call(monkeypatch, "density2d", "-m", "features=2,6", *where)
    output = capsys.readouterr().out
    assert "2 finished, 0 failed" in output
    assert re.search(r"two moons *│linear *│ *6│ *[\d.]+│ *7\.18\d│", output)
    record = json.loads((tmp_path / "densities.json").read_text())
    rows = [(row["features"], row["target"]) for row in record["rows"]]
    assert rows == [(2, "checkerboard"), *[(2, "two_moons")] * 2, (6, "two_moons")]
    expected = {name: {"target", "linear"} for name in ("two_moons", "checkerboard")}
    assert {name: set(row) for name, row in drawn[-1].items()} == expected
    assert (tmp_path / "sheet.png").is_file()


def test_a_student_learns_from_a_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start(monkeypatch, tmp_path / "teacher", "flow=maf", "features=4", *SMALL)
    where = (f"teacher={tmp_path}/teacher", f"run_dir={tmp_path}/student")
    call(monkeypatch, "distill", *where, *SMALL)
    assert re.search(r"to sample 50 vectors: [\d.]+ \(teacher\), ", capsys.readouterr().out)
    summary = RunFolder(tmp_path / "student").read_summary()
    assert (summary["flow"], summary["features"]) == ("iaf", 4)
    teacher = RunFolder(tmp_path / "teacher").read_summary()
    assert summary["teacher"]["test"] == teacher["test"]
    assert summary["teacher"]["entropy"] == summary["entropy"] == teacher["entropy"]
    assert summary["kl_to_teacher"] > 0
    assert summary["seconds_to_sample"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        (
            "density2d",
            "target=three_moons",
            "there is no target=three_moons, perhaps two_moons is meant",
        ),
        ("density2d", "flow=glow", "there is no flow=glow: continuous"),
        ("density2d", "steps=-3", "steps should be greater than 0, got -3"),
        ("density2d", "batch_size=0", "batch_size should be greater than 0, got 0"),
        ("density2d", "features=3", "features must be 2, or a multiple of it, got 3"),
        ("density2d", "target=potential_1 features=4", "features must be 2, got 4"),
        ("density2d", "target=potential_1", "Potential1 has no samples .* objective=variational"),
        ("density2d", "target.noise=0", "noise must be above 0, got 0"),
        ("density2d", "target=picture", "Missing mandatory value.*target.path"),
        ("density2d", "target=picture target.path=no.png", "no.png cannot be used as a picture"),
        ("density2d", "flow.n_layers=0", "features and n_layers must be at least 1, got 2 and 0"),
        ("density2d", "flow.n_layers=x", "flow.n_layers should be a valid integer"),
        ("density2d", "optimizer.lr=1e30", "the loss is (nan|inf|-inf) at step"),
        ("density2d", "run_dir=README", ".*README is a file, where a folder is needed"),
        ("distill", "teacher=nowhere", "no checkpoint at nowhere"),
        ("distill", "", "Missing mandatory value: teacher"),
    ],
)
def test_bad_input_ends_with_a_sentence(
    program: str, arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README").touch()
    given = arguments.split()
    if "run_dir" not in arguments:
        given.append(f"run_dir={tmp_path}/run")
    status = 1 if "the loss is" in message else 2  # no mistake that can be seen beforehand
    printed = refusal(monkeypatch, program, "animation_frames=0", *given, status=status)
    assert re.match(f"error: .*{message}", " ".join(printed.split()))


def test_a_folder_that_holds_a_run_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(monkeypatch, tmp_path, "flow=linear", *SMALL)
    before = (tmp_path / "summary.json").read_bytes()
    message = refusal(monkeypatch, "density2d", f"run_dir={tmp_path}", *SMALL)
    assert message == f"error: {tmp_path} already holds a run: choose another run_dir"
    assert (tmp_path / "summary.json").read_bytes() == before
