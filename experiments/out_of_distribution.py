"""Images from elsewhere: python experiments/out_of_distribution.py checkpoint=runs/digits/<run>."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.table import Table

from glow.runs.program import echo, entry_point

if TYPE_CHECKING:
    from torch import Tensor

    from glow.data import ImageDataModule
    from glow.runs.trained_run import TrainedRun


@entry_point("out_of_distribution")
def main(config: DictConfig) -> None:
    """Compare what a model says about images from elsewhere with what it says about its own."""
    import torch

    from glow import figures
    from glow.analysis.out_of_distribution import (
        MISLEADING,
        constant_images,
        noise_images,
        score,
        summarize,
        write_per_image,
    )
    from glow.data import random_indices
    from glow.runs.building import build, checked
    from glow.runs.provenance import provenance
    from glow.runs.trained_run import TrainedRun

    controls = {"constant": constant_images, "noise": noise_images}
    run = TrainedRun.from_config(config)
    data = run.opened_data()
    own, n, seed = type(data).__name__, config.n_images, config.seed
    tested, learned = (data.dataset(split).images for split in (config.split, "train"))
    indices = {own: checked(random_indices)(len(tested), n, seed)}
    sets = {own: tested[indices[own]]}
    for name, source in (config.outside or {}).items():
        if name in (own, *controls):
            raise ValueError(f"outside.{name} must have another name, because {name} is in use")
        sets[name], indices[name] = _from_elsewhere(run, name, build(source), n, seed)
    for name, images in controls.items():
        sets[name], indices[name] = images(n, run.model.image_shape, seed), torch.arange(n)
    scores = {
        name: checked(score)(run.model, images, config.batch_size) for name, images in sets.items()
    }
    training = learned[random_indices(len(learned), n, seed)]
    entropy = float(score(run.model, training, config.batch_size).bits_per_dim.mean())
    if not math.isfinite(entropy):
        raise FloatingPointError("some of the training images have no finite likelihood")

    result = summarize(scores, entropy)
    _print(result, own)
    echo(MISLEADING)
    others = "_".join(name for name in scores if name != own)
    name = f"out_of_distribution_{own.lower()}_{config.split}_{others}_seed{seed}"
    written = run.folder.write_json(
        f"{name}.json",
        {
            "checkpoint": run.checkpoint.name,
            "split": config.split,
            "entropy": entropy,
            "sets": result,
            "caution": MISLEADING,
            **provenance(),
        },
    )
    write_per_image(written.with_suffix(".csv"), scores, indices, entropy)
    echo(f"written: {written}, and the scores of every image beside it, as CSV")
    title = f"What a model of {own} says about images from elsewhere"
    run.publish({name: figures.likelihoods(scores, title)})


def _from_elsewhere(
    run: TrainedRun, name: str, data: ImageDataModule, n: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return images of all splits together, since the model has seen none of them.

    Also returns their indices in train, val and test, counted through.
    """
    import torch

    from glow.data import SPLITS, fit_images, random_indices

    data.prepare_data()
    parts = [data.read(split)[0] for split in SPLITS]
    indices = random_indices(sum(map(len, parts)), n, seed)
    images, before = [], 0
    for part in parts:
        in_part = (indices >= before) & (indices < before + len(part))
        images.append(part[indices[in_part] - before])
        before += len(part)
    if data.image_shape == run.model.image_shape:
        return torch.cat(images), indices
    echo(
        f"the images of {name}, {data.image_shape}, are fitted to the model's "
        f"{run.model.image_shape}; resized images are smoother, and so more likely"
    )
    return fit_images(torch.cat(images), run.model.image_shape), indices


def _print(result: dict[str, dict[str, float | None]], own: str) -> None:
    table = Table(title=f"AUROC for separating images from those of {own}", title_justify="left")
    headings = {
        "bits_per_dim": "bits/dim",
        "png_bits_per_dim": "of a PNG",
        "auroc_raw": "AUROC raw",
        "auroc_less_png": "less PNG",
        "auroc_atypicality": "atypical",
    }
    for heading in ("images of", "number", *headings.values()):
        table.add_column(heading)
    for name, numbers in result.items():
        values = [_format(numbers[key]) if key in numbers else "" for key in headings]
        table.add_row(name, str(numbers["images"]), *values)
    echo(table)


def _format(number: float | None) -> str:
    return "infinite" if number is None else f"{number:.3f}"


if __name__ == "__main__":
    main()
