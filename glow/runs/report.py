"""Tables of ``experiments/README.md``, made from the record and from nothing else."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glow.runs.density_tables import costs_table, nats_table

Record = Mapping[str, Any]
PLACE = r"(<!-- table: {name} -->\n).*?(<!-- end of table -->)"
PEER = "normflows"


def tables(folder: Path) -> dict[str, str]:
    """Return tables by name, made from the JSON files of a folder."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    by_kind: dict[str, list[Record]] = {}
    for record in records:
        by_kind.setdefault(record["kind"], []).append(record)
    found = {"runs": runs_table(by_kind.get("run", []))}
    found |= {f"sweep {r['name']}": sweep_table(r) for r in by_kind.get("sweep", [])}
    if densities := [row for record in by_kind.get("densities", []) for row in record["rows"]]:
        for name, lines in (("nats", nats_table(densities)), ("costs", costs_table(densities))):
            found[f"densities, {name}"] = _table(lines[0], lines[1:])
    if benchmarks := by_kind.get("benchmark"):
        found |= {"speed": speed_table(benchmarks), "choices": choices_table(benchmarks)}
    if compressed := by_kind.get("compression"):
        found["compression"] = compression_table(compressed)
    return found


def fill(text: str, found: Mapping[str, str]) -> str:
    """Put tables in their places in a text: ``<!-- table: NAME -->`` to ``<!-- end of table -->``.

    Args:
        text: The text.
        found: Tables by name.

    Returns:
        The text with the tables.

    Raises:
        ValueError: If a table has no place, or a place has no table.
    """
    places = re.findall(PLACE.format(name="(.*?)"), text, re.DOTALL)
    names = [name for _, name, _ in places]
    if set(names) != set(found):
        raise ValueError(
            f"the text has places for the tables {sorted(names)}, but the record makes "
            f"{sorted(found)}; a place is <!-- table: NAME --> and, below, <!-- end of table -->"
        )
    for name, table in found.items():
        place = PLACE.format(name=re.escape(name))
        text = re.sub(place, lambda m, t=table: m[1] + t + m[2], text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def runs_table(records: Sequence[Record]) -> str:
    """Return the result of every run next to the paper's, with its command and its cost."""
    rows = []
    for record in records:
        test = record["test"]
        rows.append(
            [
                _number(record["paper"]),
                f"{test['bits_per_dim']:.3f} ± {test['standard_error']:.3f}{_mark(record)}",
                f"`{record['command']}`",
                f"{record['parameters']:,} parameters, {record['steps']:,} steps, "
                f"{_duration(record['seconds'])} on {record['device']}",
            ]
        )
    return _table(["paper", "ours", "command", "cost"], rows)


def sweep_table(record: Record) -> str:
    """Return the mean and the spread of every cell of a sweep, lines by panels.

    Without panels, the lines may differ in their models, whose sizes follow.
    """
    if record["panels"] is None:
        rows = [
            [cell["line"], _mean(cell), f"{cell['parameters']:,}", f"{cell['steps']:,}"]
            for cell in record["cells"]
        ]
        return _table([record["lines"], "bits/dim", "parameters", "steps"], rows)
    cells = {(cell["panel"], cell["line"]): cell for cell in record["cells"]}
    panels = list(dict.fromkeys(panel for panel, _ in cells))
    rows = []
    for line in dict.fromkeys(line for _, line in cells):
        in_line = [cells.get((panel, line)) for panel in panels]
        rows.append([line, *("" if cell is None else _mean(cell) for cell in in_line)])
    return _table([record["lines"], *panels], rows)


def speed_table(records: Sequence[Record]) -> str:
    """Return time, images per second and memory of all subjects, and their ratios to the peer's."""
    measured = [row for record in records for row in record["rows"]]
    peers = {_size(row): row for row in measured if row["subject"] == PEER}
    rows = []
    for row in measured:
        peer = peers.get(_size(row))
        speeds = row["images_per_second"]
        rows.append(
            [
                row["device"],
                "x".join(map(str, row["image_shape"])),
                *(str(row[name]) for name in ("n_steps", "batch_size", "width")),
                row["subject"],
                _milliseconds(row["median_seconds"]["train"]),
                _ratio(row["median_seconds"]["train"], peer and peer["median_seconds"]["train"]),
                f"{row['part_of_matrix_rate']:.0%}",
                *(f"{speeds[n]:,.0f}" if n in speeds else "" for n in ("evaluate", "sample")),
                f"{row['activation_megabytes']:,.0f}",
                _ratio(row["activation_megabytes"], peer and peer["activation_megabytes"]),
            ]
        )
    ratio = f"of {PEER}"
    headings = ["on", "image", "K", "batch", "width", "", "ms/step", ratio, "of the matrix rate"]
    return _table([*headings, "evaluated/s", "sampled/s", "MB", ratio], rows)


def choices_table(records: Sequence[Record]) -> str:
    """Return what every choice gains alone, at the finest level and at the coarsest."""
    levels = sorted({row["level"] for record in records for row in record["choices"]})
    rows = []
    for record in records:
        by_place = {(row["choice"], row["level"]): row for row in record["choices"]}
        for name, taken in dict.fromkeys((r["choice"], r["taken"]) for r in record["choices"]):
            found = [by_place.get((name, level)) for level in levels]
            gains = ["" if row is None else _gain(row) for row in found]
            rows.append([record["device"], name, "taken" if taken else "not taken", *gains])
    return _table(["on", "choice", "", *(f"level {level}" for level in levels)], rows)


def compression_table(records: Sequence[Record]) -> str:
    """Return the bits/dim of the same images by the model, in its file, and in other formats."""
    names = list(dict.fromkeys(name for record in records for name in record["per_image"]))
    rows = []
    for record in records:
        sizes = (
            f"{record['per_image'][name]:.2f} / {record['mosaic'][name]:.2f}"
            if name in record["per_image"]
            else ""
            for name in names
        )
        rows.append(
            [
                f"{record['title']}, {record['n_images']:,}",
                f"{record['model']:.3f}",
                f"{record['file']:.3f}",
                f"{record['file'] - record['model']:.3f}",
                f"{record['initial']:.3f}",
                *sizes,
                f"{record['written_per_second']:.0f}, {record['read_per_second']:.0f}",
                f"{record['threads']}, {record['device']}",
            ]
        )
    headings = ["images", "model", "file", "above the model", "of it initial bits", *names]
    return _table([*headings, "images/s written, read", "threads"], rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _size(row: Record) -> tuple[Any, ...]:
    shape = tuple(row["image_shape"])
    return row["device"], shape, row["n_levels"], row["n_steps"], row["batch_size"], row["width"]


def _gain(row: Record) -> str:
    plain, chosen = row["plain_seconds"], row["chosen_seconds"]
    return f"{1e3 * plain:.2f} → {1e3 * chosen:.2f} ms ({chosen / plain:.2f})"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.0f}"


def _ratio(ours: float, theirs: float | None) -> str:
    return "" if theirs is None else f"{ours / theirs:.2f}"


def _mean(cell: Record) -> str:
    spread = "" if cell["spread"] is None else f" ± {cell['spread']:.3f}"
    return f"{cell['bits_per_dim']:.3f}{spread}{_mark(cell)} ({cell['runs']})"


def _mark(record: Record) -> str:
    """Return the mark of a variational bound."""
    return " V" if record.get("bound") == "V" else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
