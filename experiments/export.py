"""Export a trained model: python experiments/export.py checkpoint=runs/digits/<run> what=decode."""

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point


@entry_point("export")
def main(config: DictConfig) -> None:
    """Write a program that runs without this package, and compare it with the model."""
    from glow.interop.export import export, file_name
    from glow.runs.building import checked
    from glow.runs.threads import use_threads
    from glow.runs.trained_run import TrainedRun

    use_threads(config.threads)
    run = TrainedRun(config.checkpoint, trusted=config.trusted)
    name = checked(file_name)(config.what, config.format)
    path = config.output or run.folder.path / "export" / name
    difference = checked(export)(run.model, path, config.what, config.format)
    echo(f"largest difference from the model: {difference:.1e}")
    echo(f"written: {path}")


if __name__ == "__main__":
    main()
