"""The end of a sweep over flows and targets: one sheet and one table."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.types import RunMode
from omegaconf import DictConfig
from rich.table import Table

from glow.runs.program import echo
from glow.runs.run_folder import RunFolder
from glow.runs.sweep import SweepReport, read_sweep

N_CELLS = 100  # along a side of a picture of the sheet
HEADINGS = ("target", "flow", "D", "nats", "entropy", "parameters", "train", "evaluate", "sample")


class DensityReport(SweepReport):
    """Draw and list all runs in the folder of a sweep when it ends, then report how it went."""

    def on_multirun_end(self, config: DictConfig, **options: Any) -> None:
        """Write the sheet and the record, and print the table."""
        assert config.hydra.mode == RunMode.MULTIRUN
        folder = Path(config.hydra.sweep.dir)
        runs = read_sweep(folder).runs
        if runs:
            rows = [row_of(run.summary) for run in runs]
            rows.sort(key=lambda row: (row["features"], row["target"], row["nats"]))
            record = {"kind": "densities", "rows": rows, **_origin(runs[0].summary)}
            path = RunFolder(folder).write_json("densities.json", record)
            table = Table(title=f"{folder}, held-out vectors", padding=(0, 0))
            for heading in HEADINGS:
                table.add_column(heading, justify="left" if heading in HEADINGS[:2] else "right")
            for row in rows:
                table.add_row(*cells_of(row))
            echo(table)
            echo(f"written: {path} and {_draw([run.path for run in runs], folder)}")
        super().on_multirun_end(config, **options)


def row_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table says about a run, given its summary; nats may be a divergence."""
    tested = summary.get("test") or {"nats": summary["reverse_kl"]["mean"]}
    names = ("target", "flow", "objective", "features", "parameters", "steps", "seconds")
    times = ("seconds_to_evaluate", "seconds_to_sample")
    return {
        **{name: summary[name] for name in (*names, *times)},
        "nats": tested["nats"],
        "standard_error": tested.get("standard_error"),
        "entropy": summary.get("entropy", 0.0),
    }


def cells_of(row: Mapping[str, Any]) -> list[str]:
    """Return the texts of a row under ``HEADINGS``."""
    return [
        row["target"].replace("_", " "),
        row["flow"].replace("_", " "),
        str(row["features"]),
        f"{row['nats']:.3f}",
        f"{row['entropy']:.3f}",
        f"{row['parameters']:,}",
        *(f"{row[name]:.2f} s" for name in ("seconds", "seconds_to_evaluate", "seconds_to_sample")),
    ]


def _origin(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {name: summary[name] for name in ("device", "versions", "git_revision", "cpu_threads")}


def _draw(paths: Sequence[Path], folder: Path) -> Path:
    """Draw the densities of all runs on the plane, a row for each target."""
    from glow import checkpoint, figures
    from glow.runs.density import target_of

    rows: dict[str, dict[str, Any]] = {}
    for run in map(RunFolder, paths):
        summary = json.loads(run.summary.read_text())
        if summary["features"] != 2:
            continue
        target = target_of(run.read_config())
        row = rows.setdefault(summary["target"], {})
        if not row:
            row["target"] = figures.density_image(
                lambda x, t=target: t.log_density(x) - t.log_normalizer,  # type: ignore[misc]
                target,
                N_CELLS,
            )
        density = checkpoint.load_density(run.last)
        row[summary["flow"]] = figures.density_image(density.log_prob, target, N_CELLS)
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    title = "Densities on the plane, and flows that learned them"
    sheet = figures.densities_table(rows, columns, title)
    return figures.save(sheet, folder / "sheet.png")
