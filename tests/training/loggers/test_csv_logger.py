import csv
import errno
import os
from pathlib import Path

import pytest

from glow.training.loggers import CSVLogger


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_writes_metrics_csv_into_the_folder(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    logger.log_hyperparams({"lr": 1})
    logger.log_metrics({"a": 1.5}, step=0)
    logger.log_metrics({"b": 2.5}, step=1)
    logger.finalize("success")
    assert rows(tmp_path) == [
        {"a": "1.5", "b": "", "step": "0"},
        {"a": "", "b": "2.5", "step": "1"},
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_a_second_logger_goes_on_with_the_file(tmp_path: Path) -> None:
    first = CSVLogger(tmp_path)
    first.log_metrics({"a": 1.0}, step=0)
    first.finalize("success")
    second = CSVLogger(tmp_path)
    second.log_metrics({"a": 2.0, "b": 3.0}, step=1)
    second.finalize("success")
    assert [(row["a"], row["b"], row["step"]) for row in rows(tmp_path)] == [
        ("1.0", "", "0"),
        ("2.0", "3.0", "1"),
    ]


def test_a_row_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    first = CSVLogger(tmp_path)
    for step in range(2):
        first.log_metrics({"a": step + 0.5}, step=step)
    path = tmp_path / "metrics.csv"
    path.write_text(path.read_text().rstrip()[:-2])  # as a full disk or a kill leaves it
    CSVLogger(tmp_path).log_metrics({"a": 2.5}, step=2)
    assert [row["a"] for row in rows(tmp_path)] == ["0.5", "2.5"]


def test_rows_that_are_written_are_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = CSVLogger(tmp_path)
    logger.log_metrics({"a": 1.0}, step=0)
    path = tmp_path / "metrics.csv"
    before, inode = path.read_bytes(), path.stat().st_ino
    logger.log_metrics({"a": 2.0}, step=1)
    assert path.read_bytes().startswith(before)
    assert path.stat().st_ino == inode
    whole = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        logger.log_metrics({"b": 1.0}, step=2)
    assert path.read_bytes() == whole
