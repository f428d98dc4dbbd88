"""Draw samples: python experiments/sample.py checkpoint=runs/digits/<run> temperature=0.7."""

from omegaconf import DictConfig

import glow
from glow import figures
from glow.entry_point import entry_point, tell
from glow.run_folder import RunFolder


@entry_point("sample")
def main(config: DictConfig) -> None:
    """Draw a grid of samples and a temperature sweep from a checkpoint."""
    checkpoint = RunFolder.checkpoint_at(config.checkpoint)
    model = glow.load(checkpoint, map_location=config.device, trusted=config.trusted)
    folder = RunFolder.of(checkpoint).figures
    grid = figures.sample_grid(
        model, config.n_columns, config.n_rows, config.temperature, config.seed
    )
    sweep = figures.temperature_sweep(model, config.temperatures, config.n_columns, config.seed)
    name = f"samples_T{config.temperature}_seed{config.seed}.png".replace(" ", "")
    tell(f"written {figures.save(grid, folder / name)}")
    name = f"temperature_sweep_seed{config.seed}.png"
    tell(f"written {figures.save(sweep, folder / name)}")


if __name__ == "__main__":
    main()
