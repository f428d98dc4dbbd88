"""Images that somebody has chosen: by their numbers in a split, or as files of any size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from glow.data.image_data_module import ImageDataModule
from glow.data.image_file import MODES, channels_of, fit, open_picture, read_file


@dataclass(frozen=True)
class Selection:
    """Images, uint8 (N,C,H,W), what to call them, and what was done to those that are files.

    Labels are classes (N,), -1 where there is none.
    """

    images: Tensor
    labels: Tensor
    names: list[str]
    notes: list[str]

    @property
    def told(self) -> str:
        """The names in one word, for that of a file."""
        return "_".join(name.replace(" ", "") for name in self.names)


def select(data: ImageDataModule, references: Sequence[int | str], split: str) -> Selection:
    """Return the images that are referred to: numbers are of the split, names are of files.

    Files are fitted to the images of ``data`` as it fits its own; where there are no numbers, the
    data itself is not needed. Raises ``ValueError`` for a number that is not in the split and for
    a file that is no picture, and ``FileNotFoundError`` where there is no such file.
    """
    strange = [it for it in references if isinstance(it, bool) or not isinstance(it, int | str)]
    if strange:
        raise ValueError(
            f"images are numbers in a split or names of files, such as [7,me.png], got {strange[0]}"
        )
    if any(isinstance(reference, int) for reference in references):
        data.prepare_data()
        data.setup()
    images, labels, names, notes = [], [], [], []
    for reference in references:
        if isinstance(reference, int):
            dataset = data.dataset(split)
            if not 0 <= reference < len(dataset):
                raise ValueError(
                    f"there is no image {reference} in the {split} split: its {len(dataset)} "
                    f"images are numbered from 0 to {len(dataset) - 1}"
                )
            image, label = dataset[reference]
            labels.append(int(label) if label.ndim == 0 else -1)
            names.append(f"{split} {reference}")
        else:
            image, note = fit_file(data, Path(reference))
            labels.append(-1)
            names.append(Path(reference).stem)
            notes += [note] if note else []
        images.append(image)
    return Selection(torch.stack(images), torch.tensor(labels), names, notes)


def fit_file(data: ImageDataModule, path: Path) -> tuple[Tensor, str]:
    """Return a picture as an image of ``data``, uint8 (C,H,W), and a note of what was done to it.

    Raises ``ValueError`` and ``FileNotFoundError`` as ``select`` does.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    channels = data.image_shape[0]
    _check_channels(channels)
    try:
        content = read_file(path)
        picture = open_picture(content, channels)
    except ValueError as error:
        raise ValueError(f"{path} is no picture that can be used: {error}") from error
    done = []
    if channels_of(content) != channels:
        done.append("made grey" if channels == 1 else "put into 3 channels")
    pixels, how = data.fit_picture(picture)
    if how:
        done.append(how)
    size = f"{picture.width}x{picture.height}"
    note = f"{path}, {size}, was {' and '.join(done)}" if done else ""
    return torch.from_numpy(pixels), note


def fit_images(images: Tensor, image_shape: Sequence[int]) -> Tensor:
    """Return uint8 images (N,C,H,W), with 1 channel or 3, in another shape.

    Each is cropped centrally, then resized with antialiasing, as by ``fit``; greyed or repeated.
    """
    channels, height, width = image_shape
    for number in (channels, images.shape[1]):
        _check_channels(number)
    pictures = (to_pil_image(image).convert(MODES[channels]) for image in images)
    return torch.stack([torch.from_numpy(fit(picture, height, width)) for picture in pictures])


def drawn_indices(n_of: int, n: int, seed: int = 0) -> Tensor:
    """Return the indices of n out of ``n_of`` images, or all where there are fewer, at random."""
    if n < 1:
        raise ValueError(f"n_images must be at least 1, got {n}")
    order = torch.randperm(n_of, generator=torch.Generator().manual_seed(seed))
    return order[:n].sort().values


def _check_channels(channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(
            f"pictures have 1 channel or 3, and can be fitted to no others, but here are {channels}"
        )
