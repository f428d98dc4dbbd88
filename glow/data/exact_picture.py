"""Picture files whose pixels are images of a model as they are, without any conversion."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from glow.data.image_file import open_picture, read_file
from glow.data.names import printable

MODES = {1: ("1", "L"), 3: ("RGB", "P")}  # that 8-bit gray or color represents exactly


def read_exactly(path: Path, image_shape: Sequence[int]) -> Tensor:
    """Read the pixels of a picture that needs neither resizing nor a conversion.

    Args:
        path: The file.
        image_shape: The shape (C,H,W) that the picture must have, with 1 or 3 channels.

    Returns:
        A uint8 image (C,H,W).

    Raises:
        ValueError: If it is no picture, or has another size, other colors, transparent pixels, more
            than 8 bits, or several frames.
    """
    channels, height, width = image_shape
    shown = printable(str(path))
    try:
        content = read_file(path)
        picture = open_picture(content, channels)
    except ValueError as error:
        raise ValueError(f"{shown} cannot be used as a picture: {error}") from error
    with Image.open(path) as source:
        mode, transparent = source.mode, source.has_transparency_data
        frames = getattr(source, "n_frames", 1)
    wanted = "gray" if channels == 1 else "in color"
    defects = {
        f"is {picture.width}x{picture.height}": picture.size != (width, height),
        "has transparent pixels": transparent,
        f"has pixels of Pillow's mode {mode}": mode not in MODES[channels],
        f"has {frames} frames": frames > 1,
    }
    found = [defect for defect, present in defects.items() if present]
    if found:
        raise ValueError(
            f"{shown} {' and '.join(found)}, and images are stored without any conversion: the "
            f"model takes pictures of {width}x{height} pixels, {wanted}, with 8 bits and one frame"
        )
    return (
        torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        .view(height, width, channels)
        .permute(2, 0, 1)
        .contiguous()
    )
