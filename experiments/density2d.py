"""Train a flow on a density on the plane: python experiments/density2d.py flow=maf target=rings."""

from omegaconf import DictConfig

from glow.runs.program import entry_point


@entry_point("density2d")
def main(config: DictConfig) -> float | None:
    """Train in Hydra's folder; return the held-out nats, for sweepers that search."""
    from glow.runs.density import run_density_job

    return run_density_job(config)


if __name__ == "__main__":
    main()
