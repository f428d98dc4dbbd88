"""Release a model: python experiments/release.py run=runs/gallery_celeba/<run> name=celeba32."""

from itertools import islice
from pathlib import Path

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point


@entry_point("release")
def main(config: DictConfig) -> None:
    """Make the model of a run one that comes with Glow: model, description and directions."""
    from rich.progress import track

    from glow.analysis.attributes import estimate, position
    from glow.runs.building import build
    from glow.runs.release import check, release
    from glow.runs.threads import use_threads
    from glow.runs.trained_run import TrainedRun, as_list

    use_threads(config.threads)
    check(Path(config.run), config.name, config.about)
    run = TrainedRun(config.run)
    data = run.opened_data()
    directions, attributes = None, [str(name) for name in as_list(config.attributes)]
    for name in attributes:
        position(name, data.label_names)
    if data.label_names:
        data.eval_batch_size = config.batch_size
        if config.n_images < 1:
            raise ValueError(f"n_images must be at least 1, got {config.n_images}")
        n_batches = -(-config.n_images // config.batch_size)
        some = islice(data.evaluation_dataloader("train"), n_batches)
        batches = track(some, "encoding", n_batches, transient=True)
        estimator = build(config.direction, "direction")
        directions = estimate(run.model, batches, data.label_names, estimator)
    for path in release(Path(config.run), config.name, config.about, directions, attributes):
        echo(f"written: {path}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
