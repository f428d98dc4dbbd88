"""Tables of densities on the plane, from the record of a sweep."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
COSTS = ("seconds", "seconds_to_evaluate", "seconds_to_sample")


def nats_table(rows: Sequence[Row]) -> list[list[str]]:
    """Return held-out nats of flows by targets at D = 2, below the entropies of the targets.

    Args:
        rows: The rows of the record, each of one run.

    Returns:
        Lines of cells, the first of which holds the headings.
    """
    on_plane = [row for row in rows if row["features"] == 2]
    targets = {row["target"]: row["entropy"] for row in on_plane}
    found = {(row["flow"], row["target"]): f"{row['nats']:.3f}" for row in on_plane}
    return [
        ["flow", *(target.replace("_", " ") for target in targets)],
        ["(entropy)", *(f"{entropy:.3f}" for entropy in targets.values())],
        *([flow, *(found.get((flow, t), "") for t in targets)] for flow in _flows(on_plane)),
    ]


def costs_table(rows: Sequence[Row]) -> list[list[str]]:
    """Return parameters and seconds of flows at every D: medians over the targets.

    Args:
        rows: The rows of the record, each of one run.

    Returns:
        Lines of cells, the first of which holds the headings.
    """
    lines = [["flow", "D", "nats above the entropy", "parameters", "train", "evaluate", "sample"]]
    for features in sorted({row["features"] for row in rows}):
        at_size = [row for row in rows if row["features"] == features]
        for flow in _flows(at_size):
            own = [row for row in at_size if row["flow"] == flow]
            above = statistics.median(row["nats"] - row["entropy"] for row in own)
            seconds = [statistics.median(row[name] for row in own) for name in COSTS]
            cells = [flow, str(features), f"{above:.3f}", f"{own[0]['parameters']:,}"]
            lines.append([*cells, *(f"{value:.2f} s" for value in seconds)])
    return lines


def _flows(rows: Sequence[Row]) -> list[str]:
    """Return the flows, the worst first."""
    above: dict[str, list[float]] = {}
    for row in rows:
        above.setdefault(row["flow"], []).append(row["nats"] - row["entropy"])
    return sorted(above, key=lambda flow: -statistics.mean(above[flow]))
