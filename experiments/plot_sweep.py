"""Draw a sweep: python experiments/plot_sweep.py sweep=runs/paper_ablation/sweep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.table import Table

from glow.runs.program import echo, entry_point

if TYPE_CHECKING:
    from glow import ImageFlow
    from glow.figures import Curve
    from glow.runs.sweep import Cell

AXES = {"epoch": "curve", "seconds": "clock"}  # what a run keeps its points in


@entry_point("plot_sweep")
def main(config: DictConfig) -> None:
    """Print a table of the test bits/dim, and draw the validation curves and samples."""
    from glow import figures
    from glow.runs.building import checked
    from glow.runs.sweep import cells, read_sweep

    axis = config.axis
    if axis not in AXES:
        raise ValueError(f"axis must be {' or '.join(AXES)}, got {axis}")
    sweep = read_sweep(Path(config.sweep))
    if not sweep.runs:
        raise ValueError(f"no job of {sweep.folder} has finished: expected */summary.json in it")
    found = cells(sweep.runs, config.panels, config.lines)
    table = Table(title=f"{sweep.folder}, test images")
    for heading in (config.panels or "", config.lines, "runs", "bits/dim", "spread over runs"):
        table.add_column(heading)
    for cell in found:
        spread = "" if cell.std is None else f"{cell.std:.4f}"
        table.add_row(
            cell.panel, cell.line, str(len(cell.runs)), f"{cell.mean:.4f}{cell.mark}", spread
        )
    echo(table)
    for path in sweep.failed:
        echo(f"failed and left out: {path}")
    curves: dict[str, dict[str, list[Curve]]] = {}
    for cell in found:
        points: list[Curve] = [getattr(run, AXES[axis]) for run in cell.runs]
        with_curve = [curve for curve in points if curve]
        if with_curve:
            curves.setdefault(cell.panel, {})[cell.line + cell.mark] = with_curve
    output = Path(config.output or sweep.folder / "sweep.png")
    if curves:
        figure = figures.sweep_curves(curves, axis=axis)
        echo(f"written: {figures.save(figure, output)}")
    drawn = checked(figures.samples_of_models)(
        _models(found, config), config.n_columns, config.temperature, config.seed
    )
    beside = output.with_name(f"{output.stem}_samples.png")
    echo(f"written: {figures.save(drawn, beside)}, samples of the first run of each")


def _models(found: list[Cell], config: DictConfig) -> Iterator[tuple[str, ImageFlow]]:
    """Yield the model of the first run of each cell, one at a time, with its label."""
    import glow
    from glow.runs.run_folder import RunFolder

    for cell in found:
        label = f"{cell.panel} {config.lines.rpartition('.')[2]}={cell.line}".strip()
        path = RunFolder(cell.runs[0].path).selected_checkpoint
        try:
            model = glow.load(path, map_location=config.device, trusted=config.trusted)
        except (OSError, ValueError) as error:
            echo(f"no samples of {label}: {error}")
        else:
            yield label, model.frozen()


if __name__ == "__main__":
    main()
