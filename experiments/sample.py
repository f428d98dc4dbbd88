"""Draw samples: python experiments/sample.py checkpoint=runs/digits/<run> temperature=0.7."""

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point


@entry_point("sample")
def main(config: DictConfig) -> None:
    """Draw a grid of samples, a temperature sweep, and the training images nearest to samples."""
    from glow import figures
    from glow.analysis import batches
    from glow.analysis.neighbors import nearest
    from glow.data import random_indices
    from glow.runs.building import checked
    from glow.runs.trained_run import TrainedRun, as_list

    run = TrainedRun.from_config(config)
    model, temperature = run.model.frozen(), config.temperature
    seed, size, names = config.seed, config.batch_size, run.class_names()
    n_columns, n_rows = config.n_columns, config.n_rows
    settings = f"T{temperature}_seed{seed}".replace(" ", "")
    drawn = {
        f"samples_{settings}": checked(figures.sample_grid)(
            model, n_columns, n_rows, temperature, seed, names, size
        ),
        f"temperature_sweep_seed{seed}": checked(figures.temperature_sweep)(
            model, as_list(config.temperatures), n_columns, seed, names, size
        ),
    }
    if config.n_neighbors:
        data = run.opened_data()
        table = batches.sample_table(model, n_columns, n_rows, temperature, seed, size)
        samples, tested = table.flatten(0, 1), data.dataset("test").images
        learned, n_bits = data.dataset("train").images, model.dequantizer.n_bits
        drawn[f"neighbors_{settings}"] = checked(figures.neighbors)(
            samples[:n_rows], learned, config.n_neighbors, n_bits
        )
        sets = {
            "samples": samples,
            "test images": tested[random_indices(len(tested), len(samples), seed)],
        }
        medians = {name: nearest(it, learned, 1, n_bits)[0].median() for name, it in sets.items()}
        echo(
            "median distance to the nearest training image, in gray levels of 256: "
            + ", ".join(f"{median:.1f} for {name}" for name, median in medians.items())
        )
    run.publish(drawn)


if __name__ == "__main__":
    main()
