"""Images from elsewhere: python experiments/out_of_distribution.py checkpoint=runs/digits/<run>."""

import csv
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.table import Table
from torch import Tensor

from glow import figures, in_batches
from glow.data import SPLITS, ImageDataModule, draw_images, fit_images
from glow.entry_point import entry_point, tell
from glow.out_of_distribution import (
    MISLEADING,
    Scores,
    compare,
    constant_images,
    noise_images,
    score,
)
from glow.provenance import provenance
from glow.trained_run import TrainedRun

CONTROLS = {"constant": constant_images, "noise": noise_images}  # always among the sets


@entry_point("out_of_distribution")
def main(config: DictConfig) -> None:
    """Compare what a model says of images from elsewhere with what it says of its own."""
    run = TrainedRun(config.checkpoint, config.device, config.trusted)
    data = run.opened_data(config.get("data"))
    own, n, seed = type(data).__name__, config.n_images, config.seed
    sets = {own: draw_images(data.dataset(config.split).images, n, seed)}
    for name, source in (config.outside or {}).items():
        if name in (own, *CONTROLS):
            raise ValueError(f"outside.{name} has a name that is taken: call it something else")
        sets[str(name)] = _from_elsewhere(run, str(name), instantiate(source), n, seed)
    shape = run.model.image_shape
    sets |= {name: images(n, shape, seed) for name, images in CONTROLS.items()}
    scores = {name: score(run.model, images, config.batch_size) for name, images in sets.items()}
    learnt = draw_images(data.dataset("train").images, n, seed)
    entropy = float(in_batches.bits_per_dim(run.model, learnt, batch_size=config.batch_size).mean())

    inside, *outside = scores
    result = {
        name: {
            "images": len(scores[name].bits_per_dim),
            "bits_per_dim": float(scores[name].bits_per_dim.mean()),
            "png_bits_per_dim": float(scores[name].png_bits_per_dim.mean()),
            **(compare(scores[inside], scores[name], entropy) if name in outside else {}),
        }
        for name in scores
    }
    _tell(result, own)
    name = f"out_of_distribution_{'_'.join([own.lower(), *outside])}"
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
    _write_per_image(written.with_suffix(".csv"), scores, entropy)
    tell(f"written {written}, and the scores of every image beside it, as csv")
    title = f"What a model of {own} says of images from elsewhere"
    run.publish({name: figures.likelihoods(scores, title)})


def _from_elsewhere(run: TrainedRun, name: str, data: ImageDataModule, n: int, seed: int) -> Tensor:
    """Return images of all splits together: the model has learnt from none of them."""
    data.prepare_data()
    parts = [data.read(split)[0] for split in SPLITS]
    origin = torch.cat([torch.full((len(part),), i) for i, part in enumerate(parts)])
    place = torch.cat([torch.arange(len(part)) for part in parts])
    drawn = draw_images(torch.stack([origin, place], dim=1), n, seed)
    images = torch.stack([parts[i][j] for i, j in drawn.tolist()])
    if data.image_shape == run.model.image_shape:
        return images
    tell(
        f"the images of {name}, {data.image_shape}, are fitted to the model's "
        f"{run.model.image_shape}: what is resized is smoother, and likelier for that"
    )
    return fit_images(images, run.model.image_shape)


def _tell(result: dict[str, dict[str, float]], own: str) -> None:
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
        values = [f"{numbers[key]:.3f}" if key in numbers else "" for key in headings]
        table.add_row(name, str(numbers["images"]), *values)
    tell(table)
    tell(MISLEADING)


def _write_per_image(path: Path, scores: dict[str, Scores], entropy: float) -> None:
    columns = ("set", "index", "bits_per_dim", "png_bits_per_dim", "less_png", "atypicality")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for name, of_set in scores.items():
            values = (
                of_set.raw(),
                of_set.png_bits_per_dim,
                of_set.less_png(),
                of_set.atypicality(entropy),
            )
            for i, row in enumerate(torch.stack(values, dim=1).tolist()):
                writer.writerow([name, i, *row])


if __name__ == "__main__":
    main()
