"""What is said of errors, and of defects."""

import errno
import re
from pathlib import Path

import pytest
import torch
from wandb.errors import UsageError

from glow.runs.errors import report_defect, sentence


def raised_by_allocating() -> RuntimeError:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**50)
    return raised.value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("a\n b"), "a b"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/a"), "No such file: /a"),
        (OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left on device"),
        (FileExistsError(errno.EEXIST, "File exists", "/a"), "/a is a file, where a folder is"),
        (NotADirectoryError(errno.ENOTDIR, "Not a dir", "/a"), "/a is a file, where a folder is"),
        (
            RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"),
            "a checkpoint could not be written, perhaps because the disk is full",
        ),
        (
            torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0"),
            "there is not enough memory for 20.00 GiB. A smaller batch needs less",
        ),
        (UsageError("No API key."), "No API key. (logger=wandb; WANDB_MODE=offline needs neither"),
        (MemoryError(), "there is not enough memory. A smaller batch"),
    ],
)
def test_errors_of_users_and_machines_are_sentences(error: BaseException, said: str) -> None:
    assert str(sentence(error)).startswith(said)


def test_too_little_memory_is_told_with_what_helps() -> None:
    said = str(sentence(raised_by_allocating()))
    assert re.match(r"there is not enough memory for 4\.5e\+06 GB\. ", said)
    for key in ("data.batch_size", "images_per_step", "model.memory=recompute"):
        assert key in said


def test_a_singular_matrix_is_told() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.linalg.inv(torch.zeros(2, 2))
    assert "singular" in str(sentence(raised.value))


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), RuntimeError("x")])
def test_defects_are_reported_with_their_traceback(error: Exception) -> None:
    assert sentence(error) is None
    try:
        raise error
    except Exception as raised:
        said = report_defect(raised)
    assert said.startswith(f"this is a defect of the program ({type(error).__name__})")
    file = Path(said.rpartition(" ")[2])
    content = file.read_text()
    file.unlink()
    assert "Traceback (most recent call last)" in content
    assert "test_defects_are_reported" in content
