"""Draw a sweep: python experiments/plot_sweep.py sweep=runs/paper_ablation/sweep."""

from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig
from rich.table import Table

import glow
from glow import figures
from glow.entry_point import entry_point, tell
from glow.run_folder import RunFolder
from glow.sweep import Cell, cells, read_sweep


@entry_point("plot_sweep")
def main(config: DictConfig) -> None:
    """Print a table of the test bits/dim, and draw the validation curves and samples."""
    sweep = read_sweep(Path(config.sweep))
    if not sweep.runs:
        raise ValueError(f"no job of {sweep.folder} has finished: expected */summary.json in it")
    found = cells(sweep.runs, config.panels, config.lines)
    table = Table(title=f"{sweep.folder}, test images")
    for heading in (config.panels or "", config.lines, "runs", "bits/dim", "spread over runs"):
        table.add_column(heading)
    for cell in found:
        spread = "" if cell.std is None else f"{cell.std:.4f}"
        table.add_row(cell.panel, cell.line, str(len(cell.runs)), f"{cell.mean:.4f}", spread)
    tell(table)
    for path in sweep.failed:
        tell(f"failed, and left out: {path}")
    curves: dict[str, dict[str, list[figures.Curve]]] = {}
    for cell in found:
        with_curve: list[figures.Curve] = [run.curve for run in cell.runs if run.curve]
        if with_curve:
            curves.setdefault(cell.panel, {})[cell.line] = with_curve
    output = Path(config.output or sweep.folder / "sweep.png")
    if curves:
        tell(f"drawn to {figures.save(figures.sweep_curves(curves), output)}")
    drawn = figures.samples_of_models(
        _models(found, config), config.n_columns, config.temperature, config.seed
    )
    beside = output.with_name(f"{output.stem}_samples.png")
    tell(f"samples of the first run of each to {figures.save(drawn, beside)}")


def _models(found: list[Cell], config: DictConfig) -> Iterator[tuple[str, glow.Glow]]:
    """Yield the model of the first run of each cell, one at a time, and what to call it."""
    for cell in found:
        label = f"{cell.panel} {config.lines.rpartition('.')[2]}={cell.line}".strip()
        checkpoint = RunFolder(cell.runs[0].path).kept
        try:
            yield label, glow.load(checkpoint, map_location=config.device, trusted=config.trusted)
        except (OSError, ValueError) as error:
            tell(f"no samples of {label}: {error}")


if __name__ == "__main__":
    main()
