"""The record: what finished runs and sweeps are worth, as small JSON files that are kept."""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from glow.run_folder import RunFolder
from glow.sweep import cells, read_sweep, validation_curve

RESULTS = Path(__file__).resolve().parent.parent / "experiments" / "results"
OF_ONE_MACHINE = (
    "run_dir",
    "name",
    "data.root",
    "data.cache_dir",
    "data.download",
    "trainer.default_root_dir",
    "hydra",
)
OF_THE_SCREEN = ("callbacks.progress", "callbacks.samples")


def record_of_run(path: Path) -> dict[str, Any]:
    """Return the record of a finished run: config, numbers, curve, cost, and where it ran.

    Raises ``FileNotFoundError`` where the run is not finished.
    """
    folder = RunFolder(path)
    if not folder.summary.is_file():
        raise FileNotFoundError(f"{path} holds no summary.json: the run is not finished")
    config = folder.read_config()
    summary = folder.read_summary()
    return {
        "kind": "run",
        "command": command(summary.pop("overrides")),
        "paper": config.paper,
        **summary,
        "curve": validation_curve(folder.metrics),
        "config": _of_any_machine(config),
    }


def record_of_sweep(path: Path, panels: str | None, lines: str) -> dict[str, Any]:
    """Return the record of a sweep: the mean and spread of every cell, and what all runs share."""
    sweep = read_sweep(path)
    if not sweep.runs:
        raise FileNotFoundError(f"no job of {path} has finished: expected */summary.json in it")
    found = cells(sweep.runs, panels, lines)
    first = sweep.runs[0]
    swept = [factor for factor in (panels, lines, "seed") if factor in first.overrides]
    values = {factor: dict.fromkeys(r.overrides[factor] for r in sweep.runs) for factor in swept}
    shared = [o for o in first.summary["overrides"] if o.partition("=")[0] not in swept]
    return {
        "kind": "sweep",
        "name": first.summary["name"],
        "command": command(
            [*shared, *(f"{factor}={','.join(values[factor])}" for factor in swept)], multirun=True
        ),
        "panels": panels,
        "lines": lines,
        "cells": [
            {
                "panel": cell.panel,
                "line": cell.line,
                "runs": len(cell.runs),
                "bits_per_dim": cell.mean,
                "spread": cell.std,
                "curves": [run.curve for run in cell.runs],
            }
            for cell in found
        ],
        "failed": len(sweep.failed),
        "seconds": sum(run.summary["seconds"] for run in sweep.runs),
        **{key: first.summary[key] for key in ("parameters", "steps", "device", "versions")},
        "git_revision": first.summary["git_revision"],
        "config": _of_any_machine(RunFolder(first.path).read_config()),
    }


def command(overrides: list[str], *, multirun: bool = False) -> str:
    """Return the command of a run, without what is a matter of one machine or of the screen."""
    left_out = (*OF_ONE_MACHINE, *OF_THE_SCREEN)
    kept = [o for o in overrides if not o.lstrip("+~").startswith(left_out)]
    return " ".join(["python experiments/train.py", *(["-m"] if multirun else []), *kept])


def _of_any_machine(config: DictConfig) -> Any:
    kept = OmegaConf.to_container(config)
    assert isinstance(kept, dict)
    for name in OF_ONE_MACHINE:
        *groups, key = name.split(".")
        place: dict[Any, Any] = kept
        for group in groups:
            place = place[group]
        place.pop(key, None)
    del kept["callbacks"], kept["logger"]  # which name folders
    return kept


def write(record: dict[str, Any], name: str, folder: Path = RESULTS) -> Path:
    """Write a record under a name; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path
