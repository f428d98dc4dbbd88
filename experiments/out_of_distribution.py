"""Images from elsewhere: python experiments/out_of_distribution.py checkpoint=runs/digits/<run>."""

import math

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.table import Table
from torch import Tensor

from glow import figures
from glow.data import SPLITS, ImageDataModule, drawn_indices, fit_images
from glow.entry_point import entry_point, tell
from glow.out_of_distribution import (
    MISLEADING,
    constant_images,
    noise_images,
    report,
    score,
    write_per_image,
)
from glow.provenance import provenance
from glow.trained_run import TrainedRun

CONTROLS = {"constant": constant_images, "noise": noise_images}  # always among the sets


@entry_point("out_of_distribution")
def main(config: DictConfig) -> None:
    """Compare what a model says of images from elsewhere with what it says of its own."""
    run = TrainedRun.of(config)
    data = run.opened_data()
    own, n, seed = type(data).__name__, config.n_images, config.seed
    tested, learnt = (data.dataset(split).images for split in (config.split, "train"))
    indices = {own: drawn_indices(len(tested), n, seed)}
    sets = {own: tested[indices[own]]}
    for name, source in (config.outside or {}).items():
        if name in (own, *CONTROLS):
            raise ValueError(f"outside.{name} has a name that is taken: call it something else")
        sets[name], indices[name] = _from_elsewhere(run, name, instantiate(source), n, seed)
    for name, images in CONTROLS.items():
        sets[name], indices[name] = images(n, run.model.image_shape, seed), torch.arange(n)
    scores = {name: score(run.model, images, config.batch_size) for name, images in sets.items()}
    of_training = learnt[drawn_indices(len(learnt), n, seed)]
    entropy = float(score(run.model, of_training, config.batch_size).bits_per_dim.mean())
    if not math.isfinite(entropy):
        raise FloatingPointError("some of the training images have no finite likelihood")

    result = report(scores, entropy)
    _tell(result, own)
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
    tell(f"written {written}, and the scores of every image beside it, as csv")
    title = f"What a model of {own} says of images from elsewhere"
    run.publish({name: figures.likelihoods(scores, title)})


def _from_elsewhere(
    run: TrainedRun, name: str, data: ImageDataModule, n: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Return images of train, val and test together, none of which the model has learnt from.

    And their indices there, counted through.
    """
    data.prepare_data()
    parts = [data.read(split)[0] for split in SPLITS]
    indices = drawn_indices(sum(map(len, parts)), n, seed)
    images, before = [], 0
    for part in parts:
        of_part = (indices >= before) & (indices < before + len(part))
        images.append(part[indices[of_part] - before])
        before += len(part)
    if data.image_shape == run.model.image_shape:
        return torch.cat(images), indices
    tell(
        f"the images of {name}, {data.image_shape}, are fitted to the model's "
        f"{run.model.image_shape}: what is resized is smoother, and likelier for that"
    )
    return fit_images(torch.cat(images), run.model.image_shape), indices


def _tell(result: dict[str, dict[str, float | None]], own: str) -> None:
    table = Table(title=f"AUROC for telling images from those of {own}", title_justify="left")
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
        values = [_shown(numbers[key]) if key in numbers else "" for key in headings]
        table.add_row(name, str(numbers["images"]), *values)
    tell(table)
    tell(MISLEADING)


def _shown(number: float | None) -> str:
    return "infinite" if number is None else f"{number:.3f}"


if __name__ == "__main__":
    main()
