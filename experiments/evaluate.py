"""Measure bits/dim: python experiments/evaluate.py checkpoint=runs/digits/<run>."""

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point, print_numbers


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Evaluate a checkpoint on a split; print the result and write it to the run folder."""
    from glow import checkpoint as checkpoints
    from glow.runs.building import build, checked
    from glow.runs.provenance import device_name, provenance
    from glow.runs.run_folder import RunFolder
    from glow.runs.threads import use_threads
    from glow.runs.trained_run import find_data
    from glow.training import evaluate

    use_threads(config.threads)
    checkpoint = RunFolder.checkpoint_at(config.checkpoint)
    folder = RunFolder.containing(checkpoint)
    data = find_data(folder, config.get("data"), lambda: checkpoints.load(checkpoint))
    trainer = build(config.trainer, "trainer")
    evaluation = checked(evaluate)(
        checkpoint,
        data,
        trainer,
        split=config.split,
        noise_samples=config.noise_samples,
        allow_non_finite=config.allow_non_finite,
        trusted=list(config.trusted),
    )
    if not trainer.is_global_zero:
        return
    for weights, numbers in evaluation.numbers.items():
        images = f"{config.split} images, {evaluation.unit}"
        print_numbers(f"{checkpoint}, {weights} weights, {images}", numbers)
    name = f"evaluation_{checkpoint.stem}_{type(data).__name__.lower()}_{config.split}"
    if config.noise_samples > 1:
        name += f"_{config.noise_samples}_draws"
    images = data.checksum()
    plan = folder.read_config().plan if folder.config.is_file() else {}
    if images != plan.get("images", images):  # not those of the run
        name += f"_{images}"
    device = device_name(trainer.strategy.root_device)
    result = {**evaluation.result, "images": images, "device": device, **provenance()}
    written = folder.write_json(f"{name}.json", result)
    evaluation.write_per_image(written.with_suffix(".csv"))
    echo(f"written: {written}, and the values of every image next to it, as CSV")


if __name__ == "__main__":
    main()
