"""Images as one ordinary picture, without loss, for what a model does not code well."""

import io
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

WEBP_SIDE = 16383  # of the largest picture that the format allows


def to_picture(images: Tensor) -> bytes:
    """Store images as a PNG or a lossless WebP file, whichever is smaller.

    Images with other than 1 or 3 channels become gray ones, one for each channel.

    Args:
        images: uint8 (N,C,H,W), N at least 1.
    """
    pixels = _column(images)
    picture = Image.fromarray(pixels)
    files = []
    kinds: dict[str, dict[str, bool]] = {"PNG": {"optimize": True}, "WEBP": {"lossless": True}}
    if max(pixels.shape[:2]) > WEBP_SIDE:
        del kinds["WEBP"]
    for kind, options in kinds.items():
        file = io.BytesIO()
        picture.save(file, kind, **options)
        files.append(file.getvalue())
    return min(files, key=len)


def from_picture(content: bytes, n: int, image_shape: Sequence[int]) -> Tensor:
    """Restore images; the inverse of ``to_picture``.

    Args:
        content: What ``to_picture`` returned.
        n: The number of images.
        image_shape: The shape (C,H,W) of an image.

    Returns:
        uint8 (N,C,H,W).

    Raises:
        ValueError: If the content is something else.
    """
    channels, height, width = image_shape
    colors = channels if channels in (1, 3) else 1
    rows = n * channels // colors * height
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "WEBP")) as picture:
            if picture.size != (width, rows):  # before memory is taken for its pixels
                raise ValueError(f"expected {width}x{rows} pixels, got {picture.size}")
            pixels = np.array(picture.convert("RGB"))[:, :, :colors]
    except Exception as error:  # Pillow raises many kinds of errors on broken files
        raise ValueError(f"a picture inside of the file is broken: {error}") from error
    shape = (n * channels // colors, height, width, colors)
    return torch.from_numpy(pixels.reshape(shape).transpose(0, 3, 1, 2).reshape(n, *image_shape))


def _column(images: Tensor) -> NDArray[np.uint8]:
    """Put images below each other: (rows,W) if they are gray, (rows,W,3) if they are in color."""
    width = images.shape[3]
    if images.shape[1] == 3:
        return images.permute(0, 2, 3, 1).reshape(-1, width, 3).numpy()
    return images.reshape(math.prod(images.shape[:3]), width).numpy()
