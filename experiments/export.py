"""Export a trained model: python experiments/export.py checkpoint=runs/digits/<run> what=decode."""

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point


@entry_point("export")
def main(config: DictConfig) -> None:
    """Write a program that runs without this package, and compare it with the model."""
    from glow.interop.export import FORMATS, export
    from glow.runs.building import checked
    from glow.runs.trained_run import TrainedRun

    run = TrainedRun.from_config(config)
    path = config.output
    if path is None and config.format in FORMATS:
        path = run.folder.path / "export" / f"{config.what}{FORMATS[config.format].suffix}"
    difference = checked(export)(run.model, path, config.what, config.format)
    echo(f"largest difference from the model: {difference:.1e}")
    echo(f"written: {path}")


if __name__ == "__main__":
    main()
