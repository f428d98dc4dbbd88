"""Restore images: python experiments/decompress.py input=test.glow output=pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point

if TYPE_CHECKING:
    from torch import Tensor

    from glow import ImageFlow


@entry_point("decompress")
def main(config: DictConfig) -> None:
    """Write the images of a file as PNG files, and say which ones are lost."""
    from glow.compression import DamagedFileError, Lost, read
    from glow.runs.threads import use_threads

    use_threads(config.threads)
    source, output = Path(config.input), Path(config.output)
    if not source.is_file():
        raise FileNotFoundError(f"there is no file {source}: set input to one of compress.py")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"output must be a new or an empty folder, got {output}")
    start, n, lost = time.perf_counter(), 0, []
    try:
        with source.open("rb") as file:
            model = _model(file, config)
            for part in read(model, file):
                if isinstance(part, Lost):
                    lost.append(part)
                    continue
                _write(part.images, part.first, output)
                n += len(part.images)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    output.mkdir(parents=True, exist_ok=True)
    echo(f"written: {n} images in {output}, {n / (time.perf_counter() - start):.1f} a second")
    if lost:
        raise DamagedFileError(f"{source}: {'; '.join(map(str, lost))}. The others are in {output}")


def _model(file: BinaryIO, config: DictConfig) -> ImageFlow:
    """Load the model that a config or else the file names."""
    from glow import load
    from glow.compression import read_header
    from glow.runs.run_folder import RunFolder

    header = read_header(file)
    file.seek(0)
    checkpoint = config.checkpoint or str(header.get("checkpoint") or "")
    try:
        if not checkpoint:
            raise FileNotFoundError("it does not name a checkpoint")
        return load(RunFolder.checkpoint_at(checkpoint), trusted=config.trusted)
    except FileNotFoundError as error:
        raise ValueError(
            f"set checkpoint to the model {header.get('model')} that wrote this file ({error})"
        ) from error


def _write(images: Tensor, first: int, output: Path) -> None:
    from torchvision.transforms.functional import to_pil_image

    if images.shape[1] not in (1, 3):
        raise ValueError(
            f"PNG files have 1 or 3 channels, and these images {images.shape[1]}: use "
            "glow.compression.decompress"
        )
    output.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images, start=first):
        to_pil_image(image).save(output / f"{number:06d}.png")


if __name__ == "__main__":
    main()
