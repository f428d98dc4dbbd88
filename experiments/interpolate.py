"""Interpolate: python experiments/interpolate.py checkpoint=runs/digits/<run> pairs=[[0,1]]."""

from pathlib import Path

from hydra.utils import instantiate
from matplotlib.figure import Figure
from omegaconf import DictConfig, ListConfig

from glow import figures
from glow.entry_point import entry_point
from glow.manipulation import interpolate_images
from glow.trained_run import TrainedRun, listed


@entry_point("interpolate")
def main(config: DictConfig) -> None:
    """Draw the ways between pairs of real images, or what lies between four."""
    run = TrainedRun.of(config)
    paths = instantiate(config.paths)
    if not paths:
        raise ValueError("there is no path to take: leave at least one of paths")
    run.publish(_corners(run, config, paths) if config.corners else _pairs(run, config, paths))


def _corners(run: TrainedRun, config: DictConfig, paths: DictConfig) -> dict[str, Figure | Path]:
    chosen, labels = run.select(listed(config.corners), config)
    way, path = next((str(way), path) for way, path in paths.items())
    figure = figures.corners(
        run.model, chosen.images, labels, config.n_frames, path, chosen.names, config.batch_size
    )
    return {f"corners_{way}_{chosen.told}": figure}


def _pairs(run: TrainedRun, config: DictConfig, paths: DictConfig) -> dict[str, Figure | Path]:
    pairs = listed(config.pairs)
    if not all(isinstance(pair, ListConfig) and len(pair) == 2 for pair in pairs):
        raise ValueError(
            f"pairs must be pairs of indices or files, such as [[4,17],[a.png,b.png]], got {pairs}"
        )
    chosen, labels = run.select([image for pair in pairs for image in pair], config)
    if len(chosen.images) % 2:
        raise ValueError(f"the {config.split} split has too few images: name pairs, or another")
    of_starts, of_ends = (None, None) if labels is None else (labels[0::2], labels[1::2])
    ends = list(zip(chosen.names[0::2], chosen.names[1::2], strict=True))
    start, end = chosen.images[0::2], chosen.images[1::2]
    names = [f"{a} to {b}" for a, b in ends]
    name = "_".join(["interpolation", *(f"{_short(a)}-{_short(b)}" for a, b in ends)])
    size = config.batch_size
    drawn: dict[str, Figure | Path] = {
        name: figures.interpolation(
            run.model, start, end, of_starts, of_ends, config.n_frames, paths, names, size
        )
    }
    if config.animation_frames:
        ways = {
            str(way): interpolate_images(
                run.model,
                start,
                end,
                config.animation_frames,
                path,
                start_labels=of_starts,
                end_labels=of_ends,
                batch_size=size,
            )
            for way, path in paths.items()
        }
        moving = figures.moving_interpolation(ways, names)
        drawn[f"{name}_animated"] = figures.animate(moving, run.figure_path(name, ".gif"))
    return drawn


def _short(name: str) -> str:
    return name.replace(" ", "")


if __name__ == "__main__":
    main()
