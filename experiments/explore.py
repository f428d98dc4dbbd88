"""Explore a model on a local page: python experiments/explore.py checkpoint=celeba32."""

from __future__ import annotations

import os
import tempfile
import threading
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point, print_numbers

if TYPE_CHECKING:
    from glow.analysis.attributes import Directions
    from glow.data import ImageDataModule
    from glow.runs.trained_run import TrainedRun


@entry_point("explore")
def main(config: DictConfig) -> None:
    """Serve a page on which a model is explored, until Ctrl-C; or measure how fast it answers."""
    with tempfile.TemporaryDirectory(prefix="glow_explore_") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads  # where gradio, once imported, puts what is dropped
        _main(config)


def _main(config: DictConfig) -> None:
    from glow.data.names import printable
    from glow.runs.building import checked
    from glow.runs.trained_run import TrainedRun, as_list
    from glow.web.answers import Answers
    from glow.web.explorer import Explorer
    from glow.web.speed import time_moves

    run = TrainedRun.from_config(config)
    explorer = Explorer(run.model, _data(run), _directions(run, config), run.class_names())
    shown = [str(name) for name in as_list(config.attributes)]
    for name in shown:
        explorer.check_attribute(name)
    released = run.folder.released
    name = released.name if released else printable(run.checkpoint.stem)
    answers = Answers(explorer, name)
    if config.measure:
        print_numbers("milliseconds that a move of a slider takes", time_moves(answers))
        return
    try:
        from glow.web.page import build_page, serve
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise ImportError(
            "the page needs gradio, which make explore installs: pip install -e '.[explore]'"
        ) from error
    page = build_page(answers, _about(run), shown or explorer.suggested(released))
    url = checked(serve)(page, config.host, config.port, open_browser=config.open_browser)
    echo(f"the page is at {url} until Ctrl-C")
    try:
        threading.Event().wait()
    finally:
        page.close(verbose=False)


def _data(run: TrainedRun) -> ImageDataModule:
    """Return the data whose way of cropping fits pictures; a lone checkpoint has none."""
    from glow.runs.own_samples import OwnSamples

    try:
        return run.data
    except FileNotFoundError:
        return OwnSamples(model=run.model)


def _directions(run: TrainedRun, config: DictConfig) -> Directions | None:
    """Read the directions that are given, or the newest that are there."""
    from glow.analysis.attributes import Directions
    from glow.pretrained import directions_at

    if config.directions:
        return Directions.load(directions_at(config.directions), run.model)
    if run.folder.released is not None:
        found = [path for path in [run.folder.released.directions] if path.is_file()]
    else:
        found = sorted(run.folder.path.glob("directions_*.npz"), key=lambda p: p.stat().st_mtime)
    for path in reversed(found):
        try:
            return Directions.load(path, run.model)
        except ValueError as error:  # of another checkpoint
            echo(f"no attributes from {path.name}: {error}")
    return None


def _about(run: TrainedRun) -> str:
    """Return a line about the model."""
    channels, height, width = run.model.image_shape
    n_parameters = sum(parameter.numel() for parameter in run.model.parameters())
    bits = run.model.dequantizer.n_bits
    line = f"{channels}x{height}x{width}, {bits} bits, {n_parameters:,} parameters"
    if run.folder.released is None:
        return f"{run.checkpoint}: {line}"
    known = run.folder.released.describe()
    minutes = known["seconds"] / 60
    return (
        f"{known['about']}: {line}; {known['test']['bits_per_dim']:.3f} bits/dim; trained in "
        f"{minutes:.0f} minutes on {known['device']}"
    )


if __name__ == "__main__":
    main()
