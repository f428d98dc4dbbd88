"""What a run does when checkpoints are damaged or cannot be written."""

import shutil
from pathlib import Path

import pytest
import torch

import glow
from glow.runs.run_folder import RunFolder
from glow.runs.train import train
from glow.system.sealed_file import BrokenFileError, previous_of
from glow.training import SealedCheckpointIO
from tests.running import compose_train


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 3 steps, whose last checkpoint has replaced another one."""
    folder = tmp_path_factory.mktemp("run")
    often = "callbacks.last.every_n_minutes=1e-5"
    train(compose_train(folder, "trainer.max_steps=3", "callbacks.samples=null", often))
    return folder


@pytest.mark.slow
def test_a_run_goes_on_from_the_previous_checkpoint(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    folder = RunFolder(tmp_path)
    flip(folder.last)
    steps = glow.checkpoint.steps_done(previous_of(folder.last))
    assert 0 < steps < 3 + 1
    often = "callbacks.last.every_n_minutes=1e-5"
    train(compose_train(tmp_path, "trainer.max_steps=5", "callbacks.samples=null", often))
    output = capsys.readouterr().out
    reason = f"because {folder.last} is damaged or missing"
    assert f"resuming from {previous_of(folder.last)}, {reason}" in output
    assert glow.checkpoint.steps_done(folder.last) == 5


def test_a_run_whose_checkpoints_are_all_damaged_raises(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    folder = RunFolder(tmp_path)
    flip(folder.last)
    flip(previous_of(folder.last))
    with pytest.raises(BrokenFileError, match=r"cannot be resumed: .*last\.ckpt .* and .*previous"):
        train(compose_train(tmp_path, "trainer.max_steps=5"))


def test_a_damaged_checkpoint_is_named_with_the_file_before_it(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    last = RunFolder(tmp_path).last
    flip(last)
    with pytest.raises(BrokenFileError, match=r"last\.ckpt is damaged: .*last\.ckpt\.previous is"):
        glow.load(last)
    glow.load(previous_of(last))


def test_a_checkpoint_that_cannot_be_written_ends_training_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.ckpt" / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match=r"a\.ckpt"):
        SealedCheckpointIO().save_checkpoint({}, tmp_path / "a.ckpt")
    with pytest.warns(UserWarning, match="training goes on without this checkpoint"):
        SealedCheckpointIO("warn").save_checkpoint({}, tmp_path / "a.ckpt")


def test_training_writes_sealed_files(run: Path) -> None:
    for path in (run / "checkpoints").iterdir():
        assert b"sha256 " in path.read_bytes()[-80:], path
        torch.load(path, weights_only=True)
