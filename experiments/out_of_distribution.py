"""Images from elsewhere: python experiments/out_of_distribution.py checkpoint=runs/digits/<run>."""

from __future__ import annotations

import math

from omegaconf import DictConfig
from rich.table import Table

from glow.runs.program import echo, entry_point


@entry_point("out_of_distribution")
def main(config: DictConfig) -> None:
    """Compare what a model says about images from elsewhere with what it says about its own."""
    import torch

    from glow import figures
    from glow.analysis.out_of_distribution import (
        MISLEADING,
        constant_images,
        draw_from_all_splits,
        noise_images,
        score,
        summarize,
        write_per_image,
    )
    from glow.data import fit_images, random_indices
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
        other = build(source, f"outside.{name}")
        sets[name], indices[name] = checked(draw_from_all_splits)(other, n, seed)
        if other.image_shape != run.model.image_shape:
            echo(
                f"the images of {name}, {other.image_shape}, are fitted to the model's "
                f"{run.model.image_shape}; resized images are smoother, and so more likely"
            )
            sets[name] = fit_images(sets[name], run.model.image_shape)
    for name, draw in controls.items():
        sets[name], indices[name] = draw(n, run.model.image_shape, seed), torch.arange(n)
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
    echo(f"written: {written}, and the scores of every image next to it, as CSV")
    title = f"What a model of {own} says about images from elsewhere"
    run.publish({name: figures.likelihoods(scores, title)})


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
