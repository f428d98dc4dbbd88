"""Write a Glow for the authors' code: python experiments/export_openai.py checkpoint=runs/<...>."""

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point


@entry_point("export_openai")
def main(config: DictConfig) -> None:
    """Write a checkpoint that TensorFlow and openai/glow read."""
    from glow.interop import openai
    from glow.runs.threads import use_threads
    from glow.runs.trained_run import TrainedRun

    use_threads(config.threads)
    run = TrainedRun(config.checkpoint, trusted=config.trusted)
    output = config.output or run.folder.path / "openai" / "model_best_loss.ckpt"
    for path in openai.save(run.model, output):
        echo(f"written: {path}")


if __name__ == "__main__":
    main()
