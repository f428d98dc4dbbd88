"""Draw samples: python experiments/sample.py checkpoint=runs/digits/<run> temperature=0.7."""

from omegaconf import DictConfig

from glow import figures, in_batches
from glow.data import drawn_indices
from glow.entry_point import entry_point, tell
from glow.neighbours import nearest
from glow.trained_run import TrainedRun, listed


@entry_point("sample")
def main(config: DictConfig) -> None:
    """Draw a grid of samples and a temperature sweep, and what training images are near them."""
    run = TrainedRun.of(config)
    model, temperature, seed, size = run.model, config.temperature, config.seed, config.batch_size
    n_columns, n_rows, names = config.n_columns, config.n_rows, run.class_names()
    told = f"T{temperature}_seed{seed}".replace(" ", "")
    drawn = {
        f"samples_{told}": figures.sample_grid(
            model, n_columns, n_rows, temperature, seed, names, size
        ),
        f"temperature_sweep_seed{seed}": figures.temperature_sweep(
            model, listed(config.temperatures), n_columns, seed, names, size
        ),
    }
    if config.n_neighbours:
        data = run.opened_data()
        table = in_batches.sample_table(model, n_columns, n_rows, temperature, seed, size)
        samples, tested = table.flatten(0, 1), data.dataset("test").images
        learnt, n_bits = data.dataset("train").images, model.dequantize.n_bits
        drawn[f"neighbours_{told}"] = figures.neighbours(
            samples[:n_rows], learnt, config.n_neighbours, n_bits
        )
        shown = {
            "samples": samples,
            "test images": tested[drawn_indices(len(tested), len(samples), seed)],
        }
        medians = {what: nearest(it, learnt, 1, n_bits)[0].median() for what, it in shown.items()}
        tell(
            "median distance to the nearest training image, in grey levels of 256: "
            + ", ".join(f"{median:.1f} for {what}" for what, median in medians.items())
        )
    run.publish(drawn)


if __name__ == "__main__":
    main()
