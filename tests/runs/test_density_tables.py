from typing import Any

from glow.runs.density_tables import costs_table, nats_table


def row(flow: str, target: str, nats: float, features: int = 2) -> dict[str, Any]:
    seconds = {"seconds": nats, "seconds_to_evaluate": 0.5, "seconds_to_sample": 0.25}
    entropy = features / 2
    found = {"flow": flow, "target": target, "features": features, "nats": nats}
    return {**found, "entropy": entropy, "parameters": 1234, **seconds}


ROWS = [row("maf", "two_moons", 2), row("linear", "two_moons", 3), row("maf", "rings", 5)]


def test_flows_stand_below_the_entropies_the_worst_first() -> None:
    assert nats_table([*ROWS, row("maf", "two_moons", 90, features=64)]) == [
        ["flow", "two moons", "rings"],
        ["(entropy)", "1.000", "1.000"],
        ["maf", "2.000", "5.000"],
        ["linear", "3.000", ""],
    ]


def test_costs_are_medians_over_targets_at_every_size() -> None:
    assert costs_table([*ROWS, row("maf", "two_moons", 90, features=64)])[1:] == [
        ["maf", "2", "2.500", "1,234", "3.50 s", "0.50 s", "0.25 s"],
        ["linear", "2", "2.000", "1,234", "3.00 s", "0.50 s", "0.25 s"],
        ["maf", "64", "58.000", "1,234", "90.00 s", "0.50 s", "0.25 s"],
    ]
