"""Sweeps: jobs that are run once, failures that are kept, and what came of all of them."""

import csv
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

from glow.entry_point import tell
from glow.run_folder import RunFolder, capped


def job_name(overrides: str) -> str:
    """Return a folder's name for the overrides of a job, as Hydra joins them.

    ``model/permutation=reverse,model.n_steps=4`` becomes ``permutation-reverse_n_steps-4``: groups
    and keys lose their path, and signs that shells or Hydra would read are left out.
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
    """Run a job of a sweep, unless it is finished or, without ``retry_failed``, has failed before.

    What a job raises is written to ``failure.txt`` in its folder, and told in a line, so that the
    jobs after it are run. Returns what ``run`` does; of a finished job what it has returned, and
    None of one that has failed.
    """
    if folder.is_finished(config):
        tell(f"finished before: {folder.path}")
        best: float | None = folder.read_summary().get("best_validation")
        return best
    if folder.failure.is_file() and not retry_failed:
        tell(f"failed before, as {folder.failure} tells; retry_failed=true runs it again")
        return None
    try:
        result = run()
    except Exception as error:
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.failure.write_text(traceback.format_exc())
        tell(f"failed: {folder.path} ({type(error).__name__}: {error})")
        return None
    folder.failure.unlink(missing_ok=True)
    return result


class SweepReport(Callback):
    """Tells, when the jobs of a sweep have been run, how many have finished; else exits with 1."""

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Count the jobs of the sweep's folder."""
        sweep = read_sweep(Path(config.hydra.sweep.dir))
        tell(f"{len(sweep.runs)} finished, {len(sweep.failed)} failed: {sweep.folder}")
        for path in sweep.failed:
            tell(f"  {path}")
        if sweep.failed:
            sys.exit(1)


@dataclass(frozen=True)
class SweptRun:
    """A finished job: what was overridden, its test bits/dim, and its curve over the epochs."""

    path: Path
    overrides: dict[str, str]
    summary: dict[str, Any]
    curve: list[tuple[int, float]]  # epochs done, bits/dim on the validation images


@dataclass(frozen=True)
class Sweep:
    """The finished jobs of a folder, and the reports of those that failed."""

    folder: Path
    runs: list[SweptRun]
    failed: list[Path]


def read_sweep(folder: Path) -> Sweep:
    """Read what the jobs of a sweep have left."""
    jobs = [RunFolder(path) for path in sorted(folder.glob("*")) if path.is_dir()]
    finished = [(job, job.read_summary()) for job in jobs if job.summary.is_file()]
    runs = [
        SweptRun(job.path, _as_dict(summary["overrides"]), summary, validation_curve(job.metrics))
        for job, summary in finished
    ]
    return Sweep(folder, runs, [job.failure for job in jobs if job.failure.is_file()])


@dataclass(frozen=True)
class Cell:
    """The runs of a sweep that differ in the seed alone, as far as two factors tell."""

    panel: str
    line: str
    runs: list[SweptRun]

    @property
    def mean(self) -> float:
        """The mean of their test bits/dim."""
        return statistics.mean(self._bits)

    @property
    def std(self) -> float | None:
        """The standard deviation of it over the runs; None for one run."""
        return statistics.stdev(self._bits) if len(self.runs) > 1 else None

    @property
    def _bits(self) -> list[float]:
        return [run.summary["test"]["bits_per_dim"] for run in self.runs]


def cells(runs: Sequence[SweptRun], panels: str | None, lines: str) -> list[Cell]:
    """Return the runs by the values of what was overridden, ``panels`` and ``lines``.

    Raises ``ValueError`` where one of the two was not.
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
    return [Cell(panel, line, of_cell) for (panel, line), of_cell in sorted(found.items())]


def validation_curve(metrics: Path) -> list[tuple[int, float]]:
    """Return the epochs done and the validation bits/dim after each, from a ``metrics.csv``.

    Epochs that a resumed run has taken again count once.
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
