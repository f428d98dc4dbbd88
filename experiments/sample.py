"""Draw samples: python experiments/sample.py checkpoint=runs/digits/<run> temperature=0.7."""

from omegaconf import DictConfig

from glow import figures, in_batches
from glow.entry_point import entry_point, tell
from glow.neighbours import nearest
from glow.trained_run import TrainedRun


@entry_point("sample")
def main(config: DictConfig) -> None:
    """Draw a grid of samples and a temperature sweep, and what training images are near them."""
    run = TrainedRun(config.checkpoint, config.device, config.trusted)
    model, seed, size = run.model, config.seed, config.batch_size
    temperature = config.temperature
    names = run.class_names()
    grid = figures.sample_grid(
        model, config.n_columns, config.n_rows, temperature, seed, names, size
    )
    sweep = figures.temperature_sweep(
        model, config.temperatures, config.n_columns, seed, names, size
    )
    told = f"T{config.temperature}_seed{seed}".replace(" ", "")
    drawn = {f"samples_{told}": grid, f"temperature_sweep_seed{seed}": sweep}
    if config.n_neighbours:
        data = run.opened_data(config.get("data"))
        learnt = data.dataset("train").images
        n = config.n_columns * config.n_rows
        samples = in_batches.sample(
            model, n, temperature, figures.one_label_per_column(model, n), seed, size
        )
        shown = samples[: config.n_rows]
        drawn[f"neighbours_{told}"] = figures.neighbours(shown, learnt, config.n_neighbours)
        distances = {
            "samples": nearest(samples, learnt, 1)[0].median(),
            "test images": nearest(data.dataset("test").images[:n], learnt, 1)[0].median(),
        }
        told = ", ".join(f"{distance:.1f} for {what}" for what, distance in distances.items())
        tell(f"median distance to the nearest training image, in grey levels of 256: {told}")
    run.publish(drawn)


if __name__ == "__main__":
    main()
