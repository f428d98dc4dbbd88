"""The record: what finished runs and sweeps are worth, as small JSON files that are kept."""

import json
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from glow.run_folder import RunFolder
from glow.sweep import cells, read_sweep, validation_curve

RESULTS = Path(__file__).resolve().parent.parent / "experiments" / "results"
OF_THE_RUN_ALONE = ("run_dir=", "name=", "data.root=", "data.cache_dir=", "data.download=", "hydra")


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
        "command": command(summary["overrides"]),
        "paper": config.paper,
        **summary,
        "curve": validation_curve(folder.metrics),
        "config": OmegaConf.to_container(config),
    }


def record_of_sweep(path: Path, panels: str | None, lines: str) -> dict[str, Any]:
    """Return the record of a sweep: the mean and spread of every cell, and what all runs share."""
    sweep = read_sweep(path)
    if not sweep.runs:
        raise FileNotFoundError(f"no job of {path} has finished: expected */summary.json in it")
    found = cells(sweep.runs, panels, lines)
    first = sweep.runs[0]
    shared = [
        override
        for override in first.summary["overrides"]
        if override.partition("=")[0] not in (panels, lines, "seed")
    ]
    return {
        "kind": "sweep",
        "name": first.summary["name"],
        "command": command(shared, multirun=True),
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
        "config": OmegaConf.to_container(RunFolder(first.path).read_config()),
    }


def command(overrides: list[str], *, multirun: bool = False) -> str:
    """Return the command of a run, without what is a matter of one machine."""
    kept = [o for o in overrides if not o.lstrip("+").startswith(OF_THE_RUN_ALONE)]
    return " ".join(["python experiments/train.py", *(["-m"] if multirun else []), *kept])


def write(record: dict[str, Any], name: str, folder: Path = RESULTS) -> Path:
    """Write a record under a name; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path
