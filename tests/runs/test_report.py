"""The tables come from the record alone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from glow.runs.record import RESULTS, command
from glow.runs.report import compression_table, fill, runs_table, sweep_table, tables
from tests.paths import ROOT
from tests.running import call

README = (ROOT / "experiments" / "README.md").read_text()
RUN: dict[str, Any] = {
    "kind": "run",
    "name": "some",
    "command": "python experiments/train.py experiment=digits",
    "paper": 3.35,
    "test": {"bits_per_dim": 3.41239, "standard_error": 0.0123},
    "parameters": 1234567,
    "steps": 300,
    "seconds": 3725.2,
    "device": "cpu",
}


def test_the_record_fills_an_empty_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = re.sub(r"(<!-- table: .*? -->\n)(?:\|.*\n)*", r"\1", README)
    assert len(empty) < len(README)
    readme = tmp_path / "README.md"
    readme.write_text(empty)
    call(monkeypatch, "results", f"readme={readme}", f"results={RESULTS}")
    assert readme.read_bytes() == README.encode()


def test_a_run_has_its_command_and_its_cost() -> None:
    [row] = runs_table([RUN]).splitlines()[2:]
    assert row == (
        "| 3.35 | 3.412 ± 0.012 | `python experiments/train.py experiment=digits` | "
        "1,234,567 parameters, 300 steps, 1 h 2 min on cpu |"
    )
    [row] = runs_table([{**RUN, "paper": None, "seconds": 71.4}]).splitlines()[2:]
    assert row.startswith("| - |")
    assert "1 min 11 s on cpu" in row


def test_a_sweep_without_panels_says_how_large_its_models_are() -> None:
    cell = {"panel": "", "line": "nice", "runs": 3, "bits_per_dim": 4.4804, "spread": 0.0127}
    record = {
        "panels": None,
        "lines": "model",
        "cells": [{**cell, "parameters": 58000, "steps": 1234}],
    }
    heading, _, row = sweep_table(record).splitlines()
    assert heading == "| model | bits/dim | parameters | steps |"
    assert row == "| nice | 4.480 ± 0.013 (3) | 58,000 | 1,234 |"


def test_variational_bounds_are_marked() -> None:
    [row] = runs_table([{**RUN, "bound": "V"}]).splitlines()[2:]
    assert "| 3.412 ± 0.012 V |" in row
    [row] = runs_table([{**RUN, "bound": "U"}]).splitlines()[2:]
    assert "| 3.412 ± 0.012 |" in row
    cell = {"panel": "", "line": "a", "runs": 3, "bits_per_dim": 4.48, "spread": 0.0127}
    sized = {**cell, "parameters": 1, "steps": 2, "bound": "V"}
    record = {"panels": None, "lines": "model", "cells": [sized]}
    assert "| 4.480 ± 0.013 V (3) |" in sweep_table(record)


def test_tables_without_a_place_raise(tmp_path: Path) -> None:
    (tmp_path / "some.json").write_text(json.dumps(RUN))
    found = tables(tmp_path)
    assert list(found) == ["runs"]
    with pytest.raises(
        ValueError, match=r"places for the tables \[\], but the record makes \['runs'\]"
    ):
        fill("no place", found)
    filled = fill("a\n<!-- table: runs -->\nold\n<!-- end of table -->\nb", found)
    assert filled == f"a\n<!-- table: runs -->\n{found['runs']}<!-- end of table -->\nb"


def test_a_command_leaves_out_what_concerns_one_machine() -> None:
    given = [
        "experiment=mnist",
        "data.root=/elsewhere/x",
        "run_dir=y",
        "+data.x=1",
        "hydra.sweep.dir=z",
    ]
    given += ["~callbacks.progress=null", "callbacks.samples.every_n_epochs=9"]
    assert command(given) == "python experiments/train.py experiment=mnist +data.x=1"
    assert command([], multirun=True) == "python experiments/train.py -m"


def test_no_record_names_a_path_of_one_machine() -> None:
    for path in RESULTS.glob("*.json"):
        assert not re.search(r'[="](?:/|~/)\w', path.read_text()), path


def test_a_compressed_file_stands_beside_the_model_and_other_formats() -> None:
    record = {
        "title": "Digits",
        "n_images": 1000,
        "model": 2.0,
        "file": 2.0131,
        "initial": 0.004,
        "per_image": {"PNG": 4.0, "JPEG XL": 3.0},
        "mosaic": {"PNG": 3.5, "JPEG XL": 2.5},
        "written_per_second": 21.4,
        "read_per_second": 40.0,
        "threads": 2,
        "device": "cpu",
    }
    older = {**record, "per_image": {"PNG": 4.0}, "mosaic": {"PNG": 3.5}}
    heading, _, row, without = compression_table([record, older]).splitlines()
    assert heading.startswith(
        "| images | model | file | above the model | of it initial bits | PNG"
    )
    assert row == (
        "| Digits, 1,000 | 2.000 | 2.013 | 0.013 | 0.004 | 4.00 / 3.50 | 3.00 / 2.50 | 21, 40 | "
        "2, cpu |"
    )
    assert "| 4.00 / 3.50 |  | 21, 40 |" in without
