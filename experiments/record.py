"""Add a finished run to the record: python experiments/record.py run=runs/digits/<run>."""

from pathlib import Path

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point


@entry_point("record")
def main(config: DictConfig) -> None:
    """Write the record of a run or a sweep to experiments/results/."""
    from glow.runs.record import run_record, sweep_record, write

    if bool(config.run) == bool(config.sweep):
        raise ValueError("give the folder of one run, or of one sweep: run=... or sweep=...")
    record = (
        run_record(Path(config.run))
        if config.run
        else sweep_record(Path(config.sweep), config.panels, config.lines)
    )
    echo(f"written: {write(record, config.name or record['name'])}")


if __name__ == "__main__":
    main()
