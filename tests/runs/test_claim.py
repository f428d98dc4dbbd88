"""Claims of run folders, held by this process and by others."""

import datetime
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from glow.runs.claim import FolderInUseError, claimed, claimed_run_folder
from glow.runs.run_folder import RunFolder
from glow.runs.train import train
from tests.paths import ROOT
from tests.running import TINY, call, compose_train, refusal

HOLD = """
import sys, time
from pathlib import Path
from glow.runs.claim import claimed
with claimed(Path(sys.argv[1])):
    print("claimed", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    in_use = r"run is in use by process \d+ on .* since"
    with (
        claimed(tmp_path / "run"),
        pytest.raises(FolderInUseError, match=in_use),
        claimed(tmp_path / "run"),
    ):
        pass
    with claimed(tmp_path / "run"):
        pass
    assert not (tmp_path / "run" / ".owner").exists()


def test_a_claim_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"), claimed(tmp_path):
        raise RuntimeError("broken")
    with claimed(tmp_path):
        pass


@pytest.mark.slow
def test_the_claim_of_a_killed_process_is_taken_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        in_use = f"in use by process {other.pid} on"
        with pytest.raises(FolderInUseError, match=in_use), claimed(tmp_path):
            pass
        other.kill()
    with claimed(tmp_path):
        pass
    taken = f"taking {tmp_path} over from process {other.pid} on .*, which was killed"
    assert re.search(taken, capsys.readouterr().out)


def test_a_run_without_a_name_takes_a_free_one(tmp_path: Path) -> None:
    path = tmp_path / "12-00-00"
    with claimed_run_folder(path, free=True) as first:
        with claimed_run_folder(path, free=True) as second:
            assert [first.path.name, second.path.name] == ["12-00-00", "12-00-00_2"]
        with pytest.raises(FolderInUseError), claimed_run_folder(path, free=False):
            pass
        first.write_config(compose_train(path))
    with claimed_run_folder(path, free=True) as third:  # the first holds a run by now
        assert third.path.name == "12-00-00_2"
    with claimed_run_folder(path, free=False) as resumed:
        assert resumed.path == path


def test_programs_keep_out_of_each_others_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    small = (*TINY, "trainer.max_steps=1", "~callbacks.progress", "callbacks.samples=null")
    with claimed(path):
        message = refusal(monkeypatch, "train", f"run_dir={path}", *small)
        assert message.startswith(f"error: {path} is in use by process ")
    assert not (path / "config.yaml").exists()


@pytest.mark.slow
def test_runs_of_the_same_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    midnight = SimpleNamespace(now=lambda: datetime.datetime(2026, 1, 1))
    monkeypatch.setattr("hydra.core.utils.datetime", midnight)
    of_other_processes = []  # the folder that Lightning gives to the processes that it starts

    def spy(config: DictConfig) -> float | None:
        of_other_processes.append(HydraConfig.get().run.dir)
        return train(config)

    monkeypatch.setattr("glow.runs.train.train", spy)
    small = (*TINY, "trainer.max_steps=1", "~callbacks.progress", "callbacks.samples=null")
    for n_steps in (1, 2):
        call(monkeypatch, "train", *small, f"model.n_steps={n_steps}", "name=twice")
    folders = [RunFolder(path) for path in sorted((tmp_path / "runs" / "twice").iterdir())]
    assert [folder.path.name for folder in folders] == [
        "2026-01-01_00-00-00",
        "2026-01-01_00-00-00_2",
    ]
    assert [folder.read_config().model.n_steps for folder in folders] == [1, 2]
    assert of_other_processes == [str(folder.path) for folder in folders]
    for folder in folders:
        assert folder.read_config().run_dir == str(folder.path)
        assert folder.read_summary()["steps"] == 1


@pytest.mark.slow
def test_a_folder_that_an_experiment_names_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    experiment = f"# @package _global_\nrun_dir: {tmp_path}/fixed\n"
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(experiment)
    mine = (f"--config-dir={tmp_path}/conf", "experiment=mine", *TINY, "callbacks.samples=null")
    for max_steps in (1, 2):
        call(monkeypatch, "train", *mine, "~callbacks.progress", f"trainer.max_steps={max_steps}")
    assert RunFolder(tmp_path / "fixed").read_summary()["steps"] == 2
    assert not (tmp_path / "fixed_2").exists()
