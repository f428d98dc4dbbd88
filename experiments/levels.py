"""Draw what each level holds: python experiments/levels.py checkpoint=runs/digits/<run>."""

from omegaconf import DictConfig

from glow.runs.program import entry_point


@entry_point("levels")
def main(config: DictConfig) -> None:
    """Draw images with one level drawn again, and decoded from some levels only."""
    from glow import figures
    from glow.runs.building import checked
    from glow.runs.trained_run import TrainedRun, as_list

    run = TrainedRun.from_config(config)
    chosen, labels = run.select(as_list(config.images), config.split, config.batch_size)
    model = run.model.frozen()
    resampled = checked(figures.resamplings)(
        model,
        chosen.images,
        labels,
        config.n_draws,
        config.temperature,
        config.seed,
        chosen.names,
        config.batch_size,
    )
    decoded = checked(figures.reconstructions)(
        model, chosen.images, labels, chosen.names, config.batch_size
    )
    settings = f"T{config.temperature}_seed{config.seed}".replace(" ", "")
    run.publish(
        {
            f"levels_resampled_{chosen.slug}_{settings}": resampled,
            f"levels_decoded_{chosen.slug}": decoded,
        }
    )


if __name__ == "__main__":
    main()
