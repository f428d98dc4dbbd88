"""Runs that are killed, files that are broken, disks that fill up: nothing finished is lost."""

import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import glow
from glow import checkpoint
from glow.system.sealed_file import BrokenFileError, previous_of
from tests.data.pictures import write_celeba
from tests.faults.programs import SMALL, end_of, run, signal_when, start, weights
from tests.running import call

pytestmark = pytest.mark.faults
OFTEN = "callbacks.last.every_n_minutes=1e-6"  # after every step
SLOW = ("callbacks.progress._target_=tests.spies.Slow", "+callbacks.progress.seconds=0.1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run("train", *SMALL, f"run_dir={folder}")
    return folder


def assert_it_ends_like(folder: Path, whole: Path) -> None:
    torch.testing.assert_close(weights(folder), weights(whole), rtol=0, atol=0)


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder on another file system than that of temporary files, if there is one."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path("/tmp").stat().st_dev:
        pytest.skip("there is no second file system")
    folder = memory / f"glow-faults-{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_run_that_is_killed_twenty_times_ends_like_one_that_was_not(
    other_disk: Path, whole: Path
) -> None:
    """Every step writes a checkpoint, so that many of the kills fall into one."""
    moments = random.Random(0)
    for _ in range(20):
        process = start("train", *SMALL, OFTEN, *SLOW, f"run_dir={other_disk}")
        config = other_disk / "config.yaml"
        while not config.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 6))
        process.kill()
        _, printed = end_of(process)
        assert "Traceback" not in printed, printed
    run("train", *SMALL, f"run_dir={other_disk}")
    assert_it_ends_like(other_disk, whole)


@pytest.mark.parametrize("moment", ["on_train_batch_start", "on_validation_batch_start"])
@pytest.mark.parametrize("often", [OFTEN, "callbacks.last.every_n_minutes=null"])
def test_a_run_that_is_terminated_ends_like_one_that_was_not(
    moment: str, often: str, whole: Path, tmp_path: Path
) -> None:
    stop = (
        "callbacks.progress._target_=tests.spies.Signal",
        f"+callbacks.progress.moment={moment}",
    )
    printed = run(
        "train",
        *SMALL,
        often,
        *stop,
        "+callbacks.progress.count=10",
        f"run_dir={tmp_path}",
        status=143,
    )
    assert f"run_dir={tmp_path} resumes after step" in printed
    run("train", *SMALL, f"run_dir={tmp_path}")
    assert_it_ends_like(tmp_path, whole)


def test_a_second_interrupt_stops_at_once_and_loses_no_checkpoint(
    whole: Path, tmp_path: Path
) -> None:
    process = start(
        "train", *SMALL, OFTEN, *SLOW[:1], "+callbacks.progress.seconds=3", f"run_dir={tmp_path}"
    )
    signal_when(process, tmp_path / "checkpoints" / "last.ckpt", signal.SIGINT)
    time.sleep(1.2)
    process.send_signal(signal.SIGINT)
    status, printed = end_of(process)
    assert status == 130, printed
    run("train", *SMALL, f"run_dir={tmp_path}")
    assert_it_ends_like(tmp_path, whole)


@pytest.mark.parametrize("tenth", range(10))
def test_a_checkpoint_that_was_cut_is_recognized_and_the_one_before_it_taken(
    tenth: int, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    last = tmp_path / "checkpoints" / "last.ckpt"
    content = last.read_bytes()
    last.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises((BrokenFileError, ValueError), match=r"last\.ckpt"):
        glow.load(last)
    printed = run("train", *SMALL, f"run_dir={tmp_path}")
    assert f"resuming from {previous_of(last)}" in printed
    assert_it_ends_like(tmp_path, whole)


def test_broken_configs_and_attribute_files_end_with_a_sentence(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """200 random mutations: a program may end well, or with status 1 or 2, but never otherwise."""
    shutil.copytree(whole, tmp_path / "run")
    write_celeba(tmp_path / "data")
    attributes = next((tmp_path / "data").rglob("list_attr*"))
    draw = random.Random(0)
    for turn in range(200):
        file = tmp_path / "run" / "config.yaml" if turn % 2 else attributes
        before = file.read_bytes()
        file.write_bytes(mutated(before, draw))
        monkeypatch.chdir(tmp_path)
        arguments = (
            ("evaluate", f"checkpoint={tmp_path / 'run'}", "trainer.accelerator=cpu")
            if turn % 2
            else ("prepare_data", "data=celeba", f"data.cache_dir={tmp_path / 'cache' / str(turn)}")
        )
        status: object = 0
        try:
            call(monkeypatch, *arguments)
        except SystemExit as ended:
            status = ended.code
        assert status in (0, 1, 2), (turn, status)
        printed = "".join(capfd.readouterr())
        assert "this is a defect" not in printed, (turn, printed)
        file.write_bytes(before)


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Return a text with a byte changed, a part lost or doubled, or its end cut."""
    a, b = sorted(draw.randrange(len(content)) for _ in range(2))
    kind = draw.randrange(4)
    if kind == 0:
        return content[:a] + bytes([draw.randrange(256)]) + content[a + 1 :]
    if kind == 1:
        return content[:a] + content[min(b, a + 40) :]
    if kind == 2:
        return content[:b] + content[a:b][:40] + content[b:]
    return content[:a]


@pytest.mark.parametrize("policy", ["stop", "skip", "roll_back"])
def test_a_nan_is_handled_as_configured(policy: str, tmp_path: Path) -> None:
    poison = ("callbacks.progress._target_=tests.spies.Poison", "+callbacks.progress.step=10")
    options = (*SMALL, OFTEN, *poison, f"callbacks.guard.policy={policy}", f"run_dir={tmp_path}")
    printed = run("train", *options, status=1 if policy == "stop" else 0)
    assert "step 10: the gradient is not finite" in printed
    assert glow.load(tmp_path / "checkpoints" / "last.ckpt")
    [kept] = (tmp_path / "non_finite").iterdir()
    assert "gradients that are not finite" in run("replay", f"batch={kept}")


@pytest.mark.parametrize("on_failure", ["stop", "warn"])
def test_a_full_disk_loses_no_finished_checkpoint(
    on_failure: str, whole: Path, tmp_path: Path
) -> None:
    stop = ("callbacks.progress._target_=tests.spies.Signal", "+callbacks.progress.moment=")
    at = "on_train_epoch_end"
    run("train", *SMALL, stop[0], f"{stop[1]}{at}", f"run_dir={tmp_path}", status=143)
    last = tmp_path / "checkpoints" / "last.ckpt"
    limit = last.stat().st_size // 2

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    options = (*SMALL, f"run_dir={tmp_path}", f"checkpoint_io.on_failure={on_failure}")
    process = start("train", *options, preexec_fn=fill)
    status, printed = end_of(process)
    assert status == (1 if on_failure == "stop" else 0), printed
    assert "Traceback" not in printed, printed
    assert checkpoint.steps_done(last) == 8
    run("train", *SMALL, f"run_dir={tmp_path}")
    assert_it_ends_like(tmp_path, whole)
