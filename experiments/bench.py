"""Time a Glow and measure its memory, beside a peer: python experiments/bench.py n_steps=[4,8]."""

import importlib.util
import json
import multiprocessing
import statistics
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from glow import figures
from glow.benchmark import (
    OURS,
    PEER,
    Case,
    matrix_product_rate,
    megabytes_held,
    megabytes_peak,
    seconds,
)
from glow.entry_point import console, entry_point
from glow.provenance import device_name, provenance

SHARED = ("n_levels", "width", "batch_size", "n_samples", "device")  # by all that is compared


@entry_point("bench")
def main(config: DictConfig) -> None:
    """Measure, print a table, write what was measured and a plot."""
    torch.set_num_threads(config.threads or torch.get_num_threads())
    subjects = list(config.subjects)
    if unknown := set(subjects) - {*OURS, PEER}:
        raise ValueError(f"no subjects are called {unknown}; there are {', '.join([*OURS, PEER])}")
    if PEER in subjects and not importlib.util.find_spec(PEER):
        console.print(f"{PEER} is not installed, and not measured: pip install -e '.[bench]'")
        subjects.remove(PEER)
    rate = matrix_product_rate(config.device)
    rows: list[dict[str, Any]] = []
    for n_steps in config.n_steps:
        settings = {name: config[name] for name in SHARED} | {"n_steps": n_steps}
        settings["image_shape"] = tuple(config.image_shape)
        rows += _measure(subjects, settings, config.n_rounds, rate)
    _print(rows, rate)
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    result = {
        **{name: config[name] for name in ("width", "batch_size", "n_samples")},
        "device": device_name(torch.device(config.device)),
        "matrix_product_gflops": rate,
        "rows": rows,
        **provenance(),
    }
    output.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    figures.save(_plot(rows), output.with_suffix(".png"))
    console.print(f"written {output}.json and {output}.png")


def _measure(
    subjects: list[str], settings: dict[str, Any], n_rounds: int, rate: float
) -> list[dict[str, Any]]:
    """Return one row for each subject: its times, taken turn by turn, and its memory.

    The GFLOP/s of all of them are those of the work that ``glow`` does in the same time: what
    others compute twice, or a peer in another way, does not count.
    """
    with _quiet():
        cases = {subject: Case(subject=subject, **settings) for subject in subjects}
        operations = {
            (subject, name): operation
            for subject, case in cases.items()
            for name, operation in case.operations().items()
        }
        taken: dict[tuple[str, str], list[float]] = {key: [] for key in operations}
        for turn in range(n_rounds + 1):
            for key, operation in operations.items():
                elapsed = seconds(operation, settings["device"])
                if turn:  # the first warms up
                    taken[key].append(elapsed)
        with FlopCounterMode(display=False) as counter:
            Case(subject="glow", **settings).train()
        gigaflops = counter.get_total_flops() / 1e9
        del cases, operations
        context = multiprocessing.get_context("spawn")
        rows = []
        for subject in subjects:
            with ProcessPoolExecutor(1, mp_context=context) as fresh:
                memory = fresh.submit(_memory, {"subject": subject, **settings}).result()
            times = {name: values for (who, name), values in taken.items() if who == subject}
            achieved = gigaflops / statistics.median(times["train"])
            rows.append(
                {
                    "subject": subject,
                    "n_steps": settings["n_steps"],
                    "seconds": times,
                    "images_per_second": {
                        name: settings["n_samples" if name == "sample" else "batch_size"]
                        / statistics.median(values)
                        for name, values in times.items()
                    },
                    "gflops": achieved,
                    "part_of_matrix_product_rate": achieved / rate,
                    **memory,
                }
            )
        return rows


def _memory(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a case, and the megabytes that two training steps need.

    ``activations`` is the peak less what is held by the model, its gradients and the state of the
    optimizer before the first of them.
    """
    with _quiet():
        case = Case(**settings)
        for parameter in case.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        case.optimizer.step()
        before = megabytes_held(case.device)
        for _ in range(2):
            case.train()
        peak = megabytes_peak(case.device)
    return {
        "parameters": sum(p.numel() for p in case.model.parameters()),
        "peak_megabytes": peak,
        "activation_megabytes": peak - before,
    }


def _print(rows: list[dict[str, Any]], rate: float) -> None:
    table = Table(title=f"medians; matrix products run at {rate:,.0f} GFLOP/s", padding=(0, 0))
    headings = ("K", "", "s/step", "of rate", "evaluate", "encode", "sample", "activations")
    for heading in headings:
        table.add_column(heading, justify="left" if not heading else "right")
    for row in rows:
        values = row["seconds"]["train"]
        speeds = row["images_per_second"]
        table.add_row(
            str(row["n_steps"]),
            row["subject"],
            f"{statistics.median(values):.3f}",
            f"{row['part_of_matrix_product_rate']:.0%}",
            *(
                f"{speeds[name]:,.0f}/s" if name in speeds else ""
                for name in ("evaluate", "encode", "sample")
            ),
            f"{row['activation_megabytes']:,.0f} MB",
        )
    console.print(table)


def _plot(rows: list[dict[str, Any]]) -> Figure:
    """Draw how seconds and memory grow with K."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    time_axes, memory_axes = figure.subplots(1, 2)
    for subject in dict.fromkeys(row["subject"] for row in rows):
        own = [row for row in rows if row["subject"] == subject]
        k = [row["n_steps"] for row in own]
        medians = [statistics.median(row["seconds"]["train"]) for row in own]
        time_axes.plot(k, medians, marker="o", label=subject)
        memory_axes.plot(k, [row["activation_megabytes"] for row in own], marker="o")
    time_axes.set(xlabel="steps per level, K", ylabel="seconds per training step", ylim=(0, None))
    memory_axes.set(xlabel="steps per level, K", ylabel="MB for activations", ylim=(0, None))
    time_axes.legend(fontsize=8)
    for axes in (time_axes, memory_axes):
        axes.grid(alpha=0.3)
    return figure


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the peer is warned of to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    main()
