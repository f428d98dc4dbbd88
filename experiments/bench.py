"""Measure a Glow's time and memory, next to a peer: python experiments/bench.py n_steps=[8]."""

import importlib.util
import json
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from glow.runs.program import echo, entry_point

SWEPT = {"n_steps": "steps per level, K", "batch_size": "batch size", "width": "width"}


@entry_point("bench")
def main(config: DictConfig) -> None:
    """Measure, print tables, write what was measured and a plot."""
    import torch

    from glow import figures
    from glow.benchmark import OURS, PEER, compare_choices, compare_subjects, matrix_rates
    from glow.runs.provenance import device_name, provenance

    torch.set_num_threads(config.threads or torch.get_num_threads())
    sizes = list(_sizes(config))
    subjects = list(config.subjects)
    if unknown := set(subjects) - {*OURS, PEER}:
        raise ValueError(
            f"subjects must be some of {', '.join([*OURS, PEER])}, got {', '.join(unknown)}"
        )
    if PEER in subjects and not importlib.util.find_spec(PEER):
        echo(f"{PEER} is not installed and not measured: pip install -e '.[bench]'")
        subjects.remove(PEER)
    rates = {
        name: matrix_rates(config.device, getattr(torch, name)) for name in ("float32", "bfloat16")
    }
    best = {name: max(of_products.values()) for name, of_products in rates.items()}
    device = device_name(torch.device(config.device))
    rows: list[dict[str, Any]] = []
    for size in sizes:
        for row in compare_subjects(subjects, size, config.n_rounds, best):
            rows.append({"device": device, **row})
    choices = compare_choices(sizes[0], config.n_rounds)
    _print_rows(rows, f"{device}: {_listed(rates)}")
    _print_choices(choices)
    result = {
        "kind": "benchmark",
        "device": device,
        "threads": torch.get_num_threads(),
        "matrix_gflops": rates,
        "rows": rows,
        "choices": choices,
        **provenance(),
    }
    name = re.sub("[^a-z0-9]+", "_", device.lower()).strip("_")
    output = Path(config.output_dir, f"bench_{name}")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    figures.save(figures.speed(rows, SWEPT), output.with_suffix(".png"))
    echo(f"written: {output}.json and {output}.png")


def _sizes(config: DictConfig) -> Iterator[dict[str, Any]]:
    """Yield the first of every size, the other values of each one at a time, and the rest."""
    for name in SWEPT:
        if not OmegaConf.is_list(config[name]) or not config[name]:
            raise ValueError(f"{name} must be a list, such as {name}=[8], got {config[name]}")
    base = {
        "image_shape": tuple(config.image_shape),
        **{name: config[name] for name in ("n_levels", "n_samples", "device")},
        **{name: config[name][0] for name in SWEPT},
    }
    yield base
    for name in SWEPT:
        for value in config[name][1:]:
            yield {**base, name: value}
    for size in config.further_sizes:
        if not OmegaConf.is_dict(size) or not set(size) <= set(base):
            raise ValueError(
                "further_sizes must hold what differs from the first size, such as "
                f"{{width: 128, batch_size: 64}}, of {', '.join(base)}, got {size}"
            )
        yield {**base, **size, "image_shape": tuple(size.get("image_shape", config.image_shape))}


def _listed(rates: dict[str, dict[str, float]]) -> str:
    return "; ".join(
        f"{name} products at {', '.join(f'{rate:,.0f} ({how})' for how, rate in found.items())}"
        for name, found in rates.items()
    )


def _print_rows(rows: list[dict[str, Any]], machine: str) -> None:
    table = Table(title=f"medians; {machine} GFLOP/s", padding=(0, 0))
    for heading in ("image", "K", "batch", "width", "subject", "s/step", "spread", "of rate"):
        table.add_column(heading, justify="left" if heading == "subject" else "right")
    for heading in ("evaluate", "encode", "sample", "activations"):
        table.add_column(heading, justify="right")
    for row in rows:
        speeds = row["images_per_second"]
        table.add_row(
            "x".join(map(str, row["image_shape"])),
            *(str(row[name]) for name in SWEPT),
            row["subject"],
            f"{row['median_seconds']['train']:.3f}",
            f"{_spread(row['seconds']['train']):.0%}",
            f"{row['part_of_matrix_rate']:.0%}",
            *(
                f"{speeds[name]:,.0f}/s" if name in speeds else ""
                for name in ("evaluate", "encode", "sample")
            ),
            f"{row['activation_megabytes']:,.0f} MB",
        )
    echo(table)


def _spread(values: list[float]) -> float:
    """Return the range of values, relative to their median."""
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
    echo(table)


if __name__ == "__main__":
    main()
