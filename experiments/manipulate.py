"""Edit attributes: python experiments/manipulate.py checkpoint=... attributes=[Smiling]."""

from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.progress import track
from rich.table import Table

from glow import figures
from glow.attributes import Directions, estimate, position
from glow.data import ImageDataModule
from glow.entry_point import entry_point, tell
from glow.manipulation import check_strengths
from glow.trained_run import TrainedRun, listed


@entry_point("manipulate")
def main(config: DictConfig) -> None:
    """Estimate the directions of attributes, or read them, and move images along some."""
    run = TrainedRun.of(config)
    strengths = listed(config.strengths)
    check_strengths(strengths)  # told before the work, not after it, as all that may be wrong
    chosen, labels = run.select(listed(config.images), config)
    if config.directions:
        directions = Directions.load(config.directions, run.model)
    else:
        directions = _estimate(run, config)
    names = _names(config) or directions.names[:1]
    figure = figures.attributes(
        run.model,
        chosen.images,
        directions,
        names,
        strengths,
        labels,
        chosen.names,
        config.batch_size,
    )
    _tell_of(directions, names)
    run.publish({f"attributes_{'_'.join(names)}_{_method(directions)}_{chosen.told}": figure})


def _estimate(run: TrainedRun, config: DictConfig) -> Directions:
    """Estimate the directions of all labels, and write them to the folder of the run."""
    data: ImageDataModule = run.opened_data()
    names = data.label_names
    for name in _names(config):
        position(name, names)
    data.eval_batch_size = config.batch_size
    batches = data.evaluation_dataloader(config.estimated_on)
    directions = estimate(
        run.model,
        track(batches, "encoding labelled images", transient=True),
        names,
        instantiate(config.direction),
        [str(name) for name in listed(config.balanced_by)],
        labels_are_classes=run.data_is_own,
    )
    name = f"directions_{type(data).__name__.lower()}_{config.estimated_on}_{_method(directions)}"
    path = run.folder.path / f"{name}.npz"
    directions.save(path)
    tell(f"written {path}, the directions of {len(names)} attributes, for directions=<this file>")
    return directions


def _names(config: DictConfig) -> list[str]:
    return [str(name) for name in listed(config.attributes)]  # those of digits look like numbers


def _method(directions: Directions) -> str:
    return "_".join(directions.method.replace(",", "").split())


def _tell_of(directions: Directions, names: list[str]) -> None:
    title = f"by {directions.method} over {directions.n_images} images"
    table = Table(title=title, title_justify="left")
    for heading in ("attribute", "images with it", "length of the direction"):
        table.add_column(heading)
    for name in names:
        i = position(name, directions.names)
        table.add_row(name, str(directions.n_with[i]), f"{directions.vectors[i].norm():.2f}")
    tell(table)


if __name__ == "__main__":
    main()
