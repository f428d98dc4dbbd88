"""Sweeps: jobs that run once, failures that are recorded, and the results of all of them."""

import csv
import math
import re
import statistics
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from glow.runs.program import echo
from glow.runs.run_folder import RunFolder, capped


def job_name(overrides: str) -> str:
    """Return the name of a job's folder for its overrides, as Hydra joins them.

    Groups and keys lose their path, and characters that shells or Hydra would interpret are left
    out.

    >>> job_name("model/permutation=reverse,model.n_steps=4")
    'permutation-reverse_n_steps-4'
    """
    parts = []
    for override in overrides.split(","):
        key, _, value = override.rpartition("=")
        words = (re.split(r"[./]", key)[-1], re.sub(r"[^\w.]+", "-", value).strip("-"))
        parts.append("-".join(word for word in words if word))
    return capped("_".join(parts) or "job", longest=200)


OmegaConf.register_new_resolver("job_name", job_name, replace=True)


def run_once(
    folder: RunFolder, config: DictConfig, run: Callable[[], float | None], *, retry_failed: bool
) -> float | None:
    """Run a job of a sweep, or skip it: if it is finished, or failed before without a retry.

    An exception in the job is written to ``failure.txt`` in its folder and printed in one line, so
    that the next jobs run.

    Args:
        folder: The folder of the job.
        config: The config of the job.
        run: What runs the job and returns its result.
        retry_failed: Whether to run a job again that failed before.

    Returns:
        The result of the job, which for a finished job comes from its summary; None if it failed.
    """
    if folder.is_finished(config):
        echo(f"finished before: {folder.path}")
        best: float | None = folder.read_summary().get("best_validation")
        return best
    if folder.failure.is_file() and not retry_failed:
        echo(f"failed before, see {folder.failure}; retry_failed=true runs it again")
        return None
    try:
        result = run()
    except Exception as error:
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.failure.write_text(traceback.format_exc())
        echo(f"failed: {folder.path} ({type(error).__name__}: {error})")
        return None
    folder.failure.unlink(missing_ok=True)
    return result


class SweepReport(Callback):
    """Print, at the end of a sweep, how many jobs have finished; exit with 1 if one failed."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Count the jobs in the folder of the sweep."""
        sweep = read_sweep(Path(config.hydra.sweep.dir))
        echo(f"{len(sweep.runs)} finished, {len(sweep.failed)} failed: {sweep.folder}")
        for path in sweep.failed:
            echo(f"  {path}")
        if sweep.failed:
            sys.exit(1)


@dataclass(frozen=True)
class SweptRun:
    """A finished job of a sweep.

    Args:
        path: The folder of the job.
        overrides: The overridden values, by name.
        summary: The content of ``summary.json``.
        curve: Epochs done and validation bits/dim after each.
    """

    path: Path
    overrides: dict[str, str]
    summary: dict[str, Any]
    curve: list[tuple[int, float]]


@dataclass(frozen=True)
class Sweep:
    """The jobs of a sweep.

    Args:
        folder: The folder of the sweep.
        runs: The finished jobs.
        failed: The reports of the jobs that failed.
    """

    folder: Path
    runs: list[SweptRun]
    failed: list[Path]


def read_sweep(folder: Path) -> Sweep:
    """Read the results of the jobs in the folder of a sweep."""
    jobs = [RunFolder(path) for path in sorted(folder.glob("*")) if path.is_dir()]
    finished = [(job, job.read_summary()) for job in jobs if job.summary.is_file()]
    runs = [
        SweptRun(job.path, _as_dict(summary["overrides"]), summary, validation_curve(job.metrics))
        for job, summary in finished
    ]
    return Sweep(folder, runs, [job.failure for job in jobs if job.failure.is_file()])


@dataclass(frozen=True)
class Cell:
    """The runs of a sweep that agree in two factors, and so differ in the seed.

    Args:
        panel: The value of the first factor.
        line: The value of the second factor.
        runs: The runs.
    """

    panel: str
    line: str
    runs: list[SweptRun]

    @property
    def mean(self) -> float:
        """The mean of their test bits/dim."""
        return statistics.mean(self._bits)

    @property
    def std(self) -> float | None:
        """The standard deviation of their test bits/dim; None for a single run."""
        return statistics.stdev(self._bits) if len(self.runs) > 1 else None

    @property
    def _bits(self) -> list[float]:
        return [run.summary["test"]["bits_per_dim"] for run in self.runs]


def cells(runs: Sequence[SweptRun], panels: str | None, lines: str) -> list[Cell]:
    """Group runs by the values of two overrides.

    Args:
        runs: The runs of a sweep.
        panels: The name of the first override, or None.
        lines: The name of the second override.

    Returns:
        The cells, sorted by panel and line; numbers by their size.

    Raises:
        ValueError: If one of the two was not overridden in all runs.
    """
    for factor in filter(None, (panels, lines)):
        if not all(factor in run.overrides for run in runs):
            swept = sorted(set.intersection(*(set(run.overrides) for run in runs)))
            raise ValueError(
                f"{factor} was not overridden in all runs of the sweep; {', '.join(swept)} were"
            )
    found: dict[tuple[str, str], list[SweptRun]] = {}
    for run in runs:
        panel = run.overrides[panels] if panels else ""
        found.setdefault((panel, run.overrides[lines]), []).append(run)
    ordered = sorted(found.items(), key=lambda item: [_natural(name) for name in item[0]])
    return [Cell(panel, line, in_cell) for (panel, line), in_cell in ordered]


def _natural(name: str) -> tuple[float, str]:
    try:
        return float(name), name
    except ValueError:
        return math.inf, name


def validation_curve(metrics: Path) -> list[tuple[int, float]]:
    """Return the epochs done and the validation bits/dim after each, from a ``metrics.csv``.

    An epoch that a resumed run repeated counts once.
    """
    if not metrics.is_file():
        return []
    with metrics.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("val/bits_per_dim")]
    points = {int(float(row["epoch"])) + 1: float(row["val/bits_per_dim"]) for row in rows}
    return sorted(points.items())


def _as_dict(overrides: Iterable[str]) -> dict[str, str]:
    parts = (override.partition("=") for override in overrides)
    return {name.lstrip("+~"): value for name, _, value in parts}
