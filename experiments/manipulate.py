"""Edit attributes: python experiments/manipulate.py checkpoint=... attributes=[Smiling]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig
from rich.progress import track
from rich.table import Table

from glow.runs.program import echo, entry_point

if TYPE_CHECKING:
    from glow.analysis.attributes import Directions
    from glow.runs.trained_run import TrainedRun


@entry_point("manipulate")
def main(config: DictConfig) -> None:
    """Estimate the directions of attributes, or read them, and move images along some."""
    from glow import figures
    from glow.analysis.editing import check_strengths
    from glow.data.names import printable
    from glow.runs.building import checked
    from glow.runs.trained_run import TrainedRun, as_list

    run = TrainedRun.from_config(config)
    strengths = as_list(config.strengths)
    check_strengths(strengths)  # before the work, not after it
    chosen, labels = run.select(as_list(config.images), config.split, config.batch_size)
    directions = _read(run, config) or _estimate(run, config)
    names = _names(config) or directions.names[:1]
    figure = checked(figures.attributes)(
        run.model.frozen(),
        chosen.images,
        directions,
        names,
        strengths,
        labels,
        chosen.names,
        config.batch_size,
    )
    _print(directions, names)
    slug = printable("_".join(names))
    run.publish({f"attributes_{slug}_{_method(directions)}_{chosen.slug}": figure})


def _read(run: TrainedRun, config: DictConfig) -> Directions | None:
    """Read the directions of a file, or those that come with a model whose images are not here."""
    from glow.analysis.attributes import Directions
    from glow.pretrained import directions_at
    from glow.runs.own_samples import OwnSamples

    path = directions_at(config.directions) if config.directions else None
    if path is None and isinstance(run.opened_data(), OwnSamples):
        assert run.folder.released is not None
        path = run.folder.released.directions
        echo(f"samples have no labels to estimate directions from, so those of {path} are used")
    return None if path is None else Directions.load(path, run.model)


def _estimate(run: TrainedRun, config: DictConfig) -> Directions:
    """Estimate the directions of all labels, and write them to the folder of the run."""
    from glow.analysis.attributes import estimate, position
    from glow.runs.building import build
    from glow.runs.trained_run import as_list

    data = run.opened_data()
    names = data.label_names
    for name in _names(config):
        position(name, names)
    data.eval_batch_size = config.batch_size
    batches = data.evaluation_dataloader(config.estimated_on)
    directions = estimate(
        run.model,
        track(batches, "encoding labelled images", transient=True),
        names,
        build(config.direction, "direction"),
        [str(name) for name in as_list(config.balanced_by)],
        labels_are_classes=run.data_is_own,
    )
    name = f"directions_{type(data).__name__.lower()}_{config.estimated_on}_{_method(directions)}"
    path = run.folder.path / f"{name}.npz"
    directions.save(path)
    echo(f"written: {path}, the directions of {len(names)} attributes, for directions=<this file>")
    return directions


def _names(config: DictConfig) -> list[str]:
    from glow.runs.trained_run import as_list

    return [str(name) for name in as_list(config.attributes)]  # names of digits look like numbers


def _method(directions: Directions) -> str:
    return "_".join(directions.method.replace(",", "").split())


def _print(directions: Directions, names: list[str]) -> None:
    from glow.analysis.attributes import position
    from glow.data.names import printable

    title = f"by {directions.method} over {directions.n_images} images"
    table = Table(title=title, title_justify="left")
    for heading in ("attribute", "images with it", "length of the direction"):
        table.add_column(heading)
    for name in names:
        i = position(name, directions.names)
        table.add_row(
            printable(name), str(directions.n_with[i]), f"{directions.vectors[i].norm():.2f}"
        )
    echo(table)


if __name__ == "__main__":
    main()
