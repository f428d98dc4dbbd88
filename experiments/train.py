"""Train a model, test it, draw its figures: python experiments/train.py experiment=digits."""

from omegaconf import DictConfig

from glow.runs.program import entry_point


@entry_point("train")
def main(config: DictConfig) -> float | None:
    """Train in Hydra's folder; return the lowest validation bits/dim, for sweepers that search."""
    from glow.runs.train import run_job

    return run_job(config)


if __name__ == "__main__":
    main()
