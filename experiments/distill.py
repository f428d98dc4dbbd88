"""Distill a trained flow: python experiments/distill.py teacher=runs/density2d/<run> flow=iaf."""

from omegaconf import DictConfig

from glow.runs.program import entry_point


@entry_point("distill")
def main(config: DictConfig) -> float | None:
    """Train a student in Hydra's folder; return its held-out nats."""
    from glow.runs.density import run_distillation_job

    return run_distillation_job(config)


if __name__ == "__main__":
    main()
