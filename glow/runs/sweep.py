"""Sweeps: jobs that run once, failures that are recorded, and the results of all of them."""

import atexit
import csv
import hashlib
import math
import re
import secrets
import statistics
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from glow.runs.errors import sentence
from glow.runs.program import echo
from glow.runs.run_folder import RunFolder, is_within


def job_name(overrides: Iterable[str], omitted: Iterable[str] = ()) -> str:
    """Return the name of a job's folder: its overrides, as far as they can be read in a name.

    Groups and keys lose their path, and characters that shells or Hydra would interpret are left
    out. A checksum of all overrides, in their order, keeps jobs apart whose names are alike.

    Args:
        overrides: The overrides of the job.
        omitted: Keys that do not tell jobs apart.

    >>> job_name(["model/permutation=reverse", "model.n_steps=4"])
    'permutation-reverse_n_steps-4-d94944c6'
    """
    telling = [o for o in overrides if not is_within(_key(o), omitted)]
    parts = []
    for override in telling:
        key, _, value = override.partition("=")
        if _key(override) in ("experiment", "name"):  # which the folder of the sweep shows
            continue
        words = (re.split(r"[./]", key)[-1], re.sub(r"[^\w.]+", "-", value).strip("-"))
        parts.append("-".join(word for word in words if word))
    checksum = hashlib.sha256("\n".join(telling).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{('_'.join(parts) or 'job')[:200]}-{checksum}"


def _name_of_job(*, _root_: DictConfig) -> str:
    """Return the name for the config of a job, for ``hydra.sweep.subdir``."""
    return job_name(
        _root_.hydra.overrides.task, ("retry_failed", "data.cache_dir", "data.download")
    )


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


OmegaConf.register_new_resolver("job_name", _name_of_job, replace=True)


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
    result: float | None
    try:
        if folder.is_finished(config):
            echo(f"finished before: {folder.path}")
            result = folder.read_summary().get("best_validation")
        elif folder.failure.is_file() and not retry_failed:
            echo(f"failed before, see {folder.failure}; retry_failed=true runs it again")
            return None
        else:
            result = run()
    except Exception as error:
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.failure.write_text(traceback.format_exc(), errors="replace")
        echo(f"failed: {folder.path} ({sentence(error) or repr(error)})")
        return None
    folder.failure.unlink(missing_ok=True)
    return result


class SweepReport(Callback):
    """Print, at the end of a sweep, how its jobs ended; exit with 1 if one failed.

    Jobs may have folders of several names, and may run in other processes, to which a launcher
    copies this object. They write their folders to one list, in the folder of the sweep.
    """

    def __init__(self) -> None:
        self.list: Path | None = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Start the list."""
        folder = Path(config.hydra.sweep.dir).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.list = folder / f".jobs-{secrets.token_hex(4)}"
        self.list.touch()
        atexit.register(self.list.unlink, missing_ok=True)  # also if the sweep is interrupted

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Add the folder of a job to the list."""
        if self.list is not None:
            with self.list.open("a") as file:
                file.write(f"{config.hydra.runtime.output_dir}\n")

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Count the jobs in the list."""
        assert self.list is not None
        jobs = [RunFolder(Path(line)) for line in dict.fromkeys(self.list.read_text().splitlines())]
        failed = [job for job in jobs if job.failure.is_file()]
        finished = [job for job in jobs if job.summary.is_file() and job not in failed]
        others = [job for job in jobs if job not in failed and job not in finished]
        numbers = f"{len(finished)} finished, {len(failed)} failed"
        if others:
            numbers += f", {len(others)} running elsewhere"
        folders = dict.fromkeys(str(job.path.parent) for job in jobs)
        echo(f"{numbers}: {', '.join(folders)}")
        for job in failed:
            echo(f"  {job.failure}")
        if failed:
            sys.exit(1)


@dataclass(frozen=True)
class SweptRun:
    """A finished job of a sweep.

    Args:
        path: The folder of the job.
        overrides: The overridden values, by name.
        summary: The content of ``summary.json``.
        curve: Epochs done and validation bits/dim after each.
        clock: Seconds of training and validation bits/dim after each.
    """

    path: Path
    overrides: dict[str, str]
    summary: dict[str, Any]
    curve: list[tuple[int, float]]
    clock: list[tuple[float, float]]


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
        SweptRun(
            job.path,
            _as_dict(summary["overrides"]),
            summary,
            validation_curve(job.metrics),
            validation_clock(job.metrics),
        )
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
    def mark(self) -> str:
        """What follows their bits/dim: " V" if one is a variational bound."""
        bounds = {run.summary.get("bound", "U") for run in self.runs}
        return " V" if "V" in bounds else ""

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
    rows = _validations(metrics)
    points = {int(float(row["epoch"])) + 1: float(row["val/bits_per_dim"]) for row in rows}
    return sorted(points.items())


def validation_clock(metrics: Path) -> list[tuple[float, float]]:
    """Return the seconds of training and the validation bits/dim after each epoch, as above."""
    rows = [row for row in _validations(metrics) if row.get("val/seconds")]
    by_epoch = {row["epoch"]: row for row in rows}
    points = ((float(r["val/seconds"]), float(r["val/bits_per_dim"])) for r in by_epoch.values())
    return sorted(points)


def _validations(metrics: Path) -> list[dict[str, str]]:
    if not metrics.is_file():
        return []
    with metrics.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row.get("val/bits_per_dim")]


def _as_dict(overrides: Iterable[str]) -> dict[str, str]:
    parts = (override.partition("=") for override in overrides)
    return {name.lstrip("+~"): value for name, _, value in parts}
