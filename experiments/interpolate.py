"""Interpolate: python experiments/interpolate.py checkpoint=runs/digits/<run> pairs=[[0,1]]."""

from collections.abc import Sequence
from pathlib import Path

import torch
from hydra.utils import instantiate
from matplotlib.figure import Figure
from omegaconf import DictConfig

from glow import figures
from glow.entry_point import entry_point
from glow.manipulation import interpolate_images
from glow.trained_run import TrainedRun


@entry_point("interpolate")
def main(config: DictConfig) -> None:
    """Draw the ways between pairs of real images, or what lies between four."""
    run = TrainedRun(config.checkpoint, config.device, config.trusted)
    model, size, n_frames = run.model, config.batch_size, config.n_frames
    paths = instantiate(config.paths)
    if not paths:
        raise ValueError("there is no path to take: leave at least one of paths")
    drawn: dict[str, Figure | Path] = {}
    if config.corners:
        chosen, labels = run.select(config.corners, config.split, config.get("data"))
        path = next(iter(paths.values()))
        name = "_".join(["corners", *map(_short, chosen.names)])
        drawn[name] = figures.corners(model, chosen.images, labels, n_frames, path, size)
    else:
        pairs = config.pairs or []
        if not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in pairs):
            raise ValueError(
                "pairs must be pairs of indices or files, such as [[4,17],[a.png,b.png]], got "
                f"{pairs}"
            )
        flat = [reference for pair in pairs for reference in pair]
        chosen, labels = run.select(flat, config.split, config.get("data"))
        start, end = chosen.images[0::2], chosen.images[1::2]
        of = (None, None) if labels is None else (labels[0::2], labels[1::2])
        names = zip(chosen.names[0::2], chosen.names[1::2], strict=True)
        name = "_".join(["interpolation", *(f"{_short(a)}-{_short(b)}" for a, b in names)])
        drawn[name] = figures.interpolation(model, start, end, of[0], of[1], n_frames, paths, size)
        if config.animation_frames:
            ways = [
                interpolate_images(
                    model,
                    start,
                    end,
                    config.animation_frames,
                    path,
                    start_labels=of[0],
                    end_labels=of[1],
                    batch_size=size,
                )
                for path in paths.values()
            ]
            target = run.figure_path(name, ".gif")
            drawn[f"{name}_animated"] = figures.animate(torch.cat(ways), target)
    run.publish(drawn)


def _short(name: str) -> str:
    return name.replace(" ", "")


if __name__ == "__main__":
    main()
