"""Images chosen by their numbers in a split, or given as files of any size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from glow.data.image_data_module import ImageDataModule
from glow.data.image_file import MODES, channels_of, fit, open_picture, read_file
from glow.data.names import printable, user_path


@dataclass(frozen=True)
class Selection:
    """Chosen images, with their labels and names.

    Args:
        images: uint8 images (N,C,H,W).
        labels: Classes (N,), -1 for images whose class is not known.
        names: A name to show for each image, such as "test 7", or "me" for a file ``me.png``.
        notes: One sentence for each file that had to be cropped, resized or converted.
    """

    images: Tensor
    labels: Tensor
    names: list[str]
    notes: list[str]

    @property
    def slug(self) -> str:
        """The names as one word, part of the name of a file, such as ``test7_me``."""
        return "_".join(name.replace(" ", "") for name in self.names)


def select(data: ImageDataModule, references: Sequence[int | str], split: str) -> Selection:
    """Collect images by number or file name.

    Files are fitted to the images of ``data`` like the source's own pictures. ``data`` is prepared
    and read only if there are numbers.

    Args:
        data: The source of the images.
        references: Numbers of images in the split, or names of picture files.
        split: The name of the split.

    Returns:
        The images, in the order of ``references``.

    Raises:
        ValueError: If a number is not in the split, or a file is not a picture.
        FileNotFoundError: If a file does not exist.
    """
    invalid = [it for it in references if isinstance(it, bool) or not isinstance(it, int | str)]
    if invalid:
        raise ValueError(
            "images must be numbers in a split or names of files, such as [7,me.png], got "
            f"{invalid[0]}"
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
            names.append(data.image_name(split, reference))
        else:
            image, note = fit_file(data, user_path(reference))
            labels.append(-1)
            names.append(printable(Path(reference).stem))
            notes += [note] if note else []
        images.append(image)
    return Selection(torch.stack(images), torch.tensor(labels), names, notes)


def fit_file(data: ImageDataModule, path: Path) -> tuple[Tensor, str]:
    """Read a picture file as an image of ``data``.

    Args:
        data: The source whose images it is fitted to.
        path: The file.

    Returns:
        A uint8 image (C,H,W), and a note of what was done to the picture, empty if nothing was.

    Raises:
        ValueError: If the file is not a picture, or ``data`` has neither 1 nor 3 channels.
        FileNotFoundError: If the file does not exist.
    """
    shown = printable(str(path))
    if not path.exists():
        raise FileNotFoundError(f"there is no file {shown}")
    try:
        content = read_file(path)
    except ValueError as error:
        raise ValueError(f"{shown} cannot be used as a picture: {error}") from error
    return fit_content(data, content, shown)


def fit_content(data: ImageDataModule, content: bytes, shown: str) -> tuple[Tensor, str]:
    """Turn the content of a picture file into an image of ``data``.

    Args:
        data: The source whose images it is fitted to.
        content: The bytes of the file.
        shown: The printable name of the file, for messages.

    Returns:
        A uint8 image (C,H,W), and a note of what was done to the picture, empty if nothing was.

    Raises:
        ValueError: If this is not a picture, or ``data`` has neither 1 nor 3 channels.
    """
    channels = data.image_shape[0]
    _check_channels(channels)
    try:
        picture = open_picture(content, channels, data.max_pixels)
    except ValueError as error:
        raise ValueError(f"{shown} cannot be used as a picture: {error}") from error
    done = []
    if channels_of(content) != channels:
        done.append("made gray" if channels == 1 else "converted to 3 channels")
    pixels, fitted = data.fit_picture(picture)
    if fitted:
        done.append(fitted)
    size = f"{picture.width}x{picture.height}"
    note = f"{shown}, {size}, was {' and '.join(done)}" if done else ""
    return torch.from_numpy(pixels), note


def fit_images(images: Tensor, image_shape: Sequence[int]) -> Tensor:
    """Crop, resize and convert images to another shape, as ``fit`` does with pictures.

    Args:
        images: uint8 images (N,C,H,W) with 1 or 3 channels.
        image_shape: The new shape (C,H,W), with 1 or 3 channels.

    Returns:
        uint8 images (N,C,H,W) of the new shape.

    Raises:
        ValueError: If the number of channels is neither 1 nor 3.
    """
    channels, height, width = image_shape
    for number in (channels, images.shape[1]):
        _check_channels(number)
    pictures = (to_pil_image(image).convert(MODES[channels]) for image in images)
    return torch.stack([torch.from_numpy(fit(picture, height, width)) for picture in pictures])


def random_indices(n_images: int, n: int, seed: int = 0) -> Tensor:
    """Choose images at random.

    Args:
        n_images: The number of images to choose from.
        n: The number of images to choose; all are chosen if there are fewer.
        seed: The seed of the choice.

    Returns:
        Indices, each once, in ascending order.

    Raises:
        ValueError: If ``n`` is less than 1.

    >>> random_indices(1000, 3).tolist() == random_indices(1000, 3).tolist()
    True
    >>> random_indices(3, 1000).tolist()
    [0, 1, 2]
    """
    if n < 1:
        raise ValueError(f"n_images must be at least 1, got {n}")
    order = torch.randperm(n_images, generator=torch.Generator().manual_seed(seed))
    return order[:n].sort().values


def _check_channels(channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(
            f"pictures can only be fitted to images with 1 or 3 channels, got {channels}"
        )
