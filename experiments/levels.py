"""Draw what lives in which level: python experiments/levels.py checkpoint=runs/digits/<run>."""

from omegaconf import DictConfig

from glow import figures
from glow.entry_point import entry_point
from glow.trained_run import TrainedRun, listed


@entry_point("levels")
def main(config: DictConfig) -> None:
    """Draw images with one level drawn anew, and decoded from some levels only."""
    run = TrainedRun.of(config)
    chosen, labels = run.select(listed(config.images), config)
    resampled = figures.resamplings(
        run.model,
        chosen.images,
        labels,
        config.n_draws,
        config.temperature,
        config.seed,
        chosen.names,
        config.batch_size,
    )
    decoded = figures.reconstructions(
        run.model, chosen.images, labels, chosen.names, config.batch_size
    )
    told = f"T{config.temperature}_seed{config.seed}".replace(" ", "")
    names = f"levels_resampled_{chosen.told}_{told}", f"levels_decoded_{chosen.told}"
    run.publish(dict(zip(names, (resampled, decoded), strict=True)))


if __name__ == "__main__":
    main()
