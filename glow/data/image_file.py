"""From the bytes of a picture file to the uint8 array that a model sees."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
JPEG_SCAN, JPEG_END = b"\xff\xda", b"\xff\xd9"  # the markers before and after the pixels
MAX_PIXELS = 80_000_000  # below the size at which Pillow begins to warn
MODES = {1: "L", 3: "RGB"}  # Pillow's mode for each number of channels


def read_file(path: Path) -> bytes:
    """Read a file.

    Raises:
        ValueError: If there is no such file, or it is not a regular file.
    """
    if not path.is_file():  # reading a pipe would block
        raise ValueError("it is not a regular file" if path.exists() else "there is no such file")
    return path.read_bytes()


def open_picture(content: bytes, channels: int) -> Image.Image:
    """Decode a picture to gray or RGB with 8 bits per channel.

    Gray pictures become RGB and color pictures gray if necessary; of 16 bits per channel the upper
    8 remain; transparent pixels are blended with white; photos are rotated as their EXIF data says;
    of an animation the first frame is taken.

    Args:
        content: The bytes of a png, jpeg, webp or bmp file.
        channels: 1 for gray, 3 for RGB.

    Raises:
        ValueError: If the content is not a complete picture in one of these formats. The message
            gives the reason, without the name of the file.
    """
    if not content:
        raise ValueError("the file is empty")
    if content.lstrip()[:1] == b"<":
        raise ValueError("it is a web page or other text, not a picture")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.width}x{image.height}")
            if image.format == "PNG":  # loading does not verify the checksums of the pixels
                with Image.open(io.BytesIO(content), formats=FORMATS) as again:
                    again.verify()
            if image.format == "JPEG" and content.rfind(JPEG_END) < content.rfind(JPEG_SCAN):
                raise ValueError("its end is missing")
            image.load()
            return _opaque(ImageOps.exif_transpose(image)).convert(MODES[channels])
    except UnidentifiedImageError:
        raise ValueError(f"it is none of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"its size is implausible: {error}") from None
    except Exception as error:  # Pillow raises many kinds of errors on broken files
        raise ValueError(f"it is broken: {error or type(error).__name__}") from None


def channels_of(content: bytes) -> int:
    """Return 1 if a picture file is gray and 3 if it is in color; it must be a valid picture."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        return 1 if image.mode in ("1", "L", "LA") or image.mode.startswith("I") else 3


def fit(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Crop a picture centrally to the proportions of an image, then resize it.

    Resizing is bicubic, with antialiasing. A picture of the right size is not changed.

    Args:
        picture: A picture in mode L or RGB.
        height: The height of the image.
        width: The width of the image.

    Returns:
        A uint8 image (C,height,width).
    """
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, dtype=np.uint8).reshape(height, width, -1)
    return pixels.transpose(2, 0, 1).copy()


def _opaque(image: Image.Image) -> Image.Image:
    """Reduce 16 bits per channel to 8, and blend transparent pixels with white."""
    if image.mode.startswith("I"):  # gray with 16 bits
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
