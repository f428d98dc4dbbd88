"""Interpolate: python experiments/interpolate.py checkpoint=runs/digits/<run> pairs=[[0,1]]."""

from collections.abc import Sequence

from hydra.utils import instantiate
from omegaconf import DictConfig

import glow
from glow import figures
from glow.data import ImageDataModule
from glow.entry_point import entry_point, tell
from glow.run_folder import RunFolder


@entry_point("interpolate")
def main(config: DictConfig) -> None:
    """Draw the ways between pairs of real images, by their indices in a split."""
    checkpoint = RunFolder.checkpoint_at(config.checkpoint)
    model = glow.load(checkpoint, map_location=config.device, trusted=config.trusted)
    folder = RunFolder.of(checkpoint)
    data: ImageDataModule = instantiate(folder.data_config(config.get("data")))
    data.prepare_data()
    data.setup()
    dataset = data.dataset(config.split)
    varied = dataset.of_many_classes(4)
    pairs = config.pairs or list(zip(varied[0::2], varied[1::2], strict=False))
    if not all(isinstance(pair, Sequence) and len(pair) == 2 for pair in pairs):
        raise ValueError(f"pairs must be pairs of indices, such as [[4,17],[0,3]], got {pairs}")
    starts, ends = zip(*pairs, strict=True)
    for index in (*starts, *ends):
        if not 0 <= index < len(dataset):
            raise ValueError(
                f"there is no image {index} in the {config.split} split: its {len(dataset)} images "
                f"are numbered from 0 to {len(dataset) - 1}"
            )
    start, start_labels = dataset.__getitems__(list(starts))
    end, end_labels = dataset.__getitems__(list(ends))
    device = config.device
    figure = figures.interpolation(
        model,
        start.to(device),
        end.to(device),
        start_labels.to(device),
        end_labels.to(device),
        config.n_frames,
    )
    name = "_".join([config.split, *(f"{start}-{end}" for start, end in pairs)])
    path = folder.figures / f"interpolation_{name}.png"
    tell(f"written {figures.save(figure, path)}")


if __name__ == "__main__":
    main()
