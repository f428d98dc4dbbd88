"""The record: the results of finished runs and sweeps, as small JSON files in the repository."""

import json
import statistics
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from glow.runs.run_folder import RunFolder
from glow.runs.sweep import cells, read_sweep, validation_curve

RESULTS = Path(__file__).resolve().parents[2] / "experiments" / "results"
MACHINE_KEYS = (  # that say where a run ran
    "run_dir",
    "name",
    "data.root",
    "data.cache_dir",
    "data.download",
    "trainer.default_root_dir",
    "hydra",
)
DISPLAY_KEYS = ("callbacks.progress", "callbacks.samples")


def run_record(path: Path) -> dict[str, Any]:
    """Return the record of a finished run: config, numbers, curve, cost and machine.

    Raises:
        FileNotFoundError: If the run is not finished.
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
        "config": _portable(config),
    }


def sweep_record(path: Path, panels: str | None, lines: str) -> dict[str, Any]:
    """Return the record of a sweep: mean and spread of every cell, and what all runs share.

    Args:
        path: The folder of the sweep.
        panels: The override whose values are panels, or None.
        lines: The override whose values are lines.

    Raises:
        FileNotFoundError: If no job of the sweep is finished.
        ValueError: If one of the two was not overridden in all runs.
    """
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
                "bound": cell.mark.strip() or "U",
                "parameters": cell.runs[0].summary["parameters"],
                "steps": round(statistics.mean(run.summary["steps"] for run in cell.runs)),
                "curves": [run.curve for run in cell.runs],
                "clocks": [run.clock for run in cell.runs],
            }
            for cell in found
        ],
        "failed": len(sweep.failed),
        "seconds": sum(run.summary["seconds"] or 0 for run in sweep.runs),
        **{key: first.summary[key] for key in ("parameters", "steps", "device", "versions")},
        "git_revision": first.summary["git_revision"],
        "config": _portable(RunFolder(first.path).read_config()),
    }


def command(overrides: list[str], *, multirun: bool = False) -> str:
    """Return the command of a run, without overrides that concern one machine or the display.

    Args:
        overrides: The overrides of the command line.
        multirun: Whether the command starts a sweep.

    >>> command(["experiment=mnist", "data.root=/elsewhere", "model.n_steps=8"])
    'python experiments/train.py experiment=mnist model.n_steps=8'
    """
    omitted = (*MACHINE_KEYS, *DISPLAY_KEYS)
    portable = [o for o in overrides if not o.lstrip("+~").startswith(omitted)]
    return " ".join(["python experiments/train.py", *(["-m"] if multirun else []), *portable])


def _portable(config: DictConfig) -> Any:
    """Return a config as plain Python, without what concerns one machine."""
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    for name in MACHINE_KEYS:
        *groups, key = name.split(".")
        place: dict[Any, Any] = plain
        for group in groups:
            place = place[group]
        place.pop(key, None)
    del plain["callbacks"], plain["logger"]  # which name folders
    return plain


def write(record: dict[str, Any], name: str, folder: Path = RESULTS) -> Path:
    """Write a record to a JSON file.

    Args:
        record: The record.
        name: The name of the file, without its suffix.
        folder: The folder of the file.

    Returns:
        The path of the file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path
