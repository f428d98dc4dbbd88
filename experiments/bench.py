"""Time a Glow and measure its memory, beside a peer: python experiments/bench.py n_steps=[8]."""

import importlib.util
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.table import Table

from glow import figures
from glow.benchmark import OURS, PEER, compare_choices, compare_subjects, matrix_product_rate
from glow.entry_point import entry_point, tell
from glow.provenance import device_name, provenance

SWEPT = {"n_steps": "steps per level, K", "batch_size": "batch size", "width": "width"}
RATES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@entry_point("bench")
def main(config: DictConfig) -> None:
    """Measure, print tables, write what was measured and a plot."""
    torch.set_num_threads(config.threads or torch.get_num_threads())
    subjects = list(config.subjects)
    if unknown := set(subjects) - {*OURS, PEER}:
        raise ValueError(f"no subjects are called {unknown}; there are {', '.join([*OURS, PEER])}")
    if PEER in subjects and not importlib.util.find_spec(PEER):
        tell(f"{PEER} is not installed, and not measured: pip install -e '.[bench]'")
        subjects.remove(PEER)
    rates = {name: matrix_product_rate(config.device, dtype) for name, dtype in RATES.items()}
    fixed: dict[str, Any] = {
        "image_shape": tuple(config.image_shape),
        **{name: config[name] for name in ("n_levels", "n_samples", "device")},
    }
    rows: list[dict[str, Any]] = []
    for size in _sizes(config):
        rows += compare_subjects(subjects, {**fixed, **size}, config.n_rounds, rates)
    choices = compare_choices({**fixed, **next(_sizes(config))}, config.n_rounds)
    _print(rows, rates)
    _print_choices(choices)
    result = {
        "kind": "benchmark",
        **fixed,
        "device": device_name(torch.device(config.device)),
        "threads": torch.get_num_threads(),
        "matrix_product_gflops": rates,
        "rows": rows,
        "choices": choices,
        **provenance(),
    }
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    figures.save(_plot(rows), output.with_suffix(".png"))
    tell(f"written {output}.json and {output}.png")


def _sizes(config: DictConfig) -> Iterator[dict[str, int]]:
    """Yield the first values of all that is swept, then the others of each, one at a time."""
    base = {name: config[name][0] for name in SWEPT}
    yield base
    for name in SWEPT:
        for value in config[name][1:]:
            yield {**base, name: value}


def _print(rows: list[dict[str, Any]], rates: dict[str, float]) -> None:
    told = ", ".join(f"{rate:,.0f} GFLOP/s in {name}" for name, rate in rates.items())
    table = Table(title=f"medians; matrix products run at {told}", padding=(0, 0))
    for heading in ("K", "batch", "width", "subject", "s/step", "spread", "of rate"):
        table.add_column(heading, justify="left" if heading == "subject" else "right")
    for heading in ("evaluate", "encode", "sample", "activations"):
        table.add_column(heading, justify="right")
    for row in rows:
        speeds = row["images_per_second"]
        table.add_row(
            *(str(row[name]) for name in SWEPT),
            row["subject"],
            f"{row['median_seconds']['train']:.3f}",
            f"{_spread(row['seconds']['train']):.0%}",
            f"{row['part_of_matrix_product_rate']:.0%}",
            *(
                f"{speeds[name]:,.0f}/s" if name in speeds else ""
                for name in ("evaluate", "encode", "sample")
            ),
            f"{row['activation_megabytes']:,.0f} MB",
        )
    tell(table)


def _spread(values: list[float]) -> float:
    """Return how far values lie from each other: the largest less the smallest, by the median."""
    return (max(values) - min(values)) / statistics.median(values)


def _print_choices(choices: list[dict[str, Any]]) -> None:
    table = Table(title="one choice at a time, forward and backward", padding=(0, 0))
    for heading in ("choice", "taken", "level", "plain", "chosen", "ratio"):
        table.add_column(heading, justify="left" if heading == "choice" else "right")
    for row in choices:
        plain, chosen = row["plain_seconds"], row["chosen_seconds"]
        table.add_row(
            row["choice"],
            "yes" if row["taken"] else "no",
            str(row["level"]),
            f"{1e3 * plain:.2f} ms",
            f"{1e3 * chosen:.2f} ms",
            f"{chosen / plain:.2f}",
        )
    tell(table)


def _plot(rows: list[dict[str, Any]]) -> Figure:
    """Draw how seconds and memory grow with whatever was swept."""
    base = {name: rows[0][name] for name in SWEPT}
    swept = [name for name in SWEPT if len({row[name] for row in rows}) > 1] or ["n_steps"]
    figure = Figure(figsize=(4.2 * len(swept), 7), layout="constrained")
    axes = figure.subplots(2, len(swept), squeeze=False, sharex="col", sharey="row")
    for column, name in enumerate(swept):
        on_axis = [row for row in rows if all(row[n] == base[n] for n in SWEPT if n != name)]
        for subject in dict.fromkeys(row["subject"] for row in on_axis):
            own = [row for row in on_axis if row["subject"] == subject]
            own.sort(key=lambda row: row[name])
            x = [row[name] for row in own]
            times = [row["median_seconds"]["train"] for row in own]
            axes[0, column].plot(x, times, marker="o", label=subject)
            axes[1, column].plot(x, [row["activation_megabytes"] for row in own], marker="o")
        fixed = ", ".join(f"{SWEPT[n]} {base[n]}" for n in SWEPT if n != name)
        axes[0, column].set_title(fixed, fontsize=9)
        axes[1, column].set_xlabel(SWEPT[name])
    axes[0, 0].set(ylabel="seconds per training step", ylim=(0, None))
    axes[1, 0].set(ylabel="MB for activations", ylim=(0, None))
    axes[0, 0].legend(fontsize=8)
    for one in axes.flat:
        one.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    main()
