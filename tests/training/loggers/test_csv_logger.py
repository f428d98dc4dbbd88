import csv
from pathlib import Path

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
    assert second.experiment is not None
    assert [row["a"] for row in rows(tmp_path)] == ["1.0"]  # nothing is lost in between
    second.log_metrics({"a": 2.0, "b": 3.0}, step=1)
    second.finalize("success")
    assert [(row["a"], row["b"], row["step"]) for row in rows(tmp_path)] == [
        ("1.0", "", "0"),
        ("2.0", "3.0", "1"),
    ]
