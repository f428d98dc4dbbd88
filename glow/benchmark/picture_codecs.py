"""What lossless picture formats need for the same images."""

import importlib
import importlib.util
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

JPEG_XL = "pillow_jxl"  # the package that adds the format to Pillow
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "PNG": ("PNG", {"optimize": True}),
    "WebP": ("WEBP", {"lossless": True, "quality": 100, "method": 6}),
    "JPEG XL": ("JXL", {"lossless": True, "effort": 9}),
}


def available_formats() -> list[str]:
    """Return the formats that Pillow can write here, each at its highest effort."""
    if importlib.util.find_spec(JPEG_XL):
        importlib.import_module(JPEG_XL)
        return list(FORMATS)
    return [name for name in FORMATS if name != "JPEG XL"]


def bits_per_dim_of_files(images: Tensor, name: str) -> float:
    """Return the mean bits/dim of the files of single images.

    Args:
        images: uint8 images (N,C,H,W), gray or in color.
        name: One of ``available_formats()``.
    """
    sizes = [_size(_pixels(image[None], 1), name) for image in images]
    return 8 * sum(sizes) / images.numel()


def bits_per_dim_of_mosaic(images: Tensor, name: str) -> float:
    """Return the bits/dim of one file that holds all images in a square, padded with zeros.

    Args:
        images: uint8 images (N,C,H,W), gray or in color.
        name: One of ``available_formats()``.
    """
    columns = math.ceil(math.sqrt(len(images)))
    missing = -len(images) % columns
    padded = np.concatenate([images.numpy(), np.zeros((missing, *images.shape[1:]), np.uint8)])
    return 8 * _size(_pixels(padded, columns), name) / images.numel()


def _pixels(images: NDArray[np.uint8] | Tensor, columns: int) -> NDArray[np.uint8]:
    n, channels, height, width = images.shape
    rows = np.asarray(images).reshape(n // columns, columns, channels, height, width)
    mosaic = rows.transpose(0, 3, 1, 4, 2).reshape(n // columns * height, columns * width, channels)
    return np.ascontiguousarray(mosaic if channels > 1 else mosaic[:, :, 0])


def _size(pixels: NDArray[np.uint8], name: str) -> int:
    kind, options = FORMATS[name]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return len(file.getvalue())
