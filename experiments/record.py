"""Add a finished run to the record: python experiments/record.py run=runs/digits/<run>."""

from pathlib import Path

from omegaconf import DictConfig

from glow.entry_point import entry_point, tell
from glow.record import record_of_run, record_of_sweep, write


@entry_point("record")
def main(config: DictConfig) -> None:
    """Write the record of a run or a sweep to experiments/results/."""
    if bool(config.run) == bool(config.sweep):
        raise ValueError("name the folder of one run, or of one sweep: run=... or sweep=...")
    record = (
        record_of_run(Path(config.run))
        if config.run
        else record_of_sweep(Path(config.sweep), config.panels, config.lines)
    )
    tell(f"written to {write(record, config.name or record['name'])}")


if __name__ == "__main__":
    main()
