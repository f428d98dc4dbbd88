"""Interpolate: python experiments/interpolate.py checkpoint=runs/digits/<run> pairs=[[0,1]]."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from glow.runs.program import entry_point

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from glow.runs.trained_run import TrainedRun


@entry_point("interpolate")
def main(config: DictConfig) -> None:
    """Draw interpolations between pairs of real images, or between four."""
    from glow.runs.trained_run import TrainedRun

    run = TrainedRun.from_config(config)
    run.publish(_corners(run, config) if config.corners else _pairs(run, config))


def _corners(run: TrainedRun, config: DictConfig) -> dict[str, Figure | Path]:
    from glow import figures
    from glow.runs.building import checked
    from glow.runs.trained_run import as_list

    interpolants = _interpolants(config)
    chosen, labels = run.select(as_list(config.corners), config.split, config.batch_size)
    name, interpolant = next(iter(interpolants.items()))
    figure = checked(figures.corners)(
        run.model.frozen(),
        chosen.images,
        labels,
        config.n_frames,
        interpolant,
        chosen.names,
        config.batch_size,
    )
    return {f"corners_{name}_{chosen.slug}": figure}


def _pairs(run: TrainedRun, config: DictConfig) -> dict[str, Figure | Path]:
    from glow import figures
    from glow.analysis.interpolation import interpolate_images
    from glow.runs.building import checked
    from glow.runs.trained_run import as_list

    interpolants = _interpolants(config)
    pairs = as_list(config.pairs)
    if not all(isinstance(pair, ListConfig) and len(pair) == 2 for pair in pairs):
        raise ValueError(
            f"pairs must be pairs of indices or files, such as [[4,17],[a.png,b.png]], got {pairs}"
        )
    references = [image for pair in pairs for image in pair]
    chosen, labels = run.select(references, config.split, config.batch_size)
    if len(chosen.images) % 2:
        raise ValueError(
            f"the {config.split} split has too few images: set pairs, or choose another split"
        )
    start_labels, end_labels = (None, None) if labels is None else (labels[0::2], labels[1::2])
    ends = list(zip(chosen.names[0::2], chosen.names[1::2], strict=True))
    start, end = chosen.images[0::2], chosen.images[1::2]
    names = [f"{a} to {b}" for a, b in ends]
    name = "_".join(["interpolation", *(f"{a}-{b}" for a, b in ends)]).replace(" ", "")
    model, size = run.model.frozen(), config.batch_size
    drawn: dict[str, Figure | Path] = {
        name: checked(figures.interpolation)(
            model, start, end, start_labels, end_labels, config.n_frames, interpolants, names, size
        )
    }
    if config.animation_frames:
        frames = {
            way: checked(interpolate_images)(
                model,
                start,
                end,
                config.animation_frames,
                interpolant,
                start_labels=start_labels,
                end_labels=end_labels,
                batch_size=size,
            )
            for way, interpolant in interpolants.items()
        }
        moving = figures.moving_interpolation(frames, names)
        drawn[f"{name}_animated"] = figures.animate(moving, run.figure_path(name, ".gif"))
    return drawn


def _interpolants(config: DictConfig) -> dict[str, Any]:
    from glow.runs.building import build

    interpolants = {
        str(name): way for name, way in build(config.interpolants, "interpolants").items()
    }
    if not interpolants:
        raise ValueError("interpolants must not be empty: leave at least one of them")
    return interpolants


if __name__ == "__main__":
    main()
