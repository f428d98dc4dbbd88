"""From the bytes of a picture file to the uint8 array that a model sees."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
JPEG_SCAN, JPEG_END = b"\xff\xda", b"\xff\xd9"  # before the pixels, and after them
MAX_PIXELS = 80_000_000  # less than where Pillow begins to warn
MODES = {1: "L", 3: "RGB"}  # Pillow's, by the number of channels


def read_file(path: Path) -> bytes:
    """Return the content of a file; raise ``ValueError`` where there is none to be read."""
    if not path.is_file():  # a pipe would keep us waiting
        raise ValueError("there is no such file" if not path.exists() else "this is no file")
    return path.read_bytes()


def open_picture(content: bytes, channels: int) -> Image.Image:
    """Decode a picture, to grey for 1 channel and to colour for 3, with 8 bits a channel.

    Grey pictures become colour ones and the other way round; 16 bits a channel lose the lower 8;
    what is transparent lies on white; a photo is turned as its EXIF says; of an animation the
    first frame is taken.

    Raises ``ValueError`` with the reason where the content is no whole png, jpeg, webp or bmp.
    """
    if not content:
        raise ValueError("the file is empty")
    if content.lstrip()[:1] == b"<":
        raise ValueError("this is a web page or other text, not a picture")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{image.width}x{image.height}")
            if image.format == "PNG":  # loading checks no checksums of pixels
                with Image.open(io.BytesIO(content), formats=FORMATS) as again:
                    again.verify()
            if image.format == "JPEG" and content.rfind(JPEG_END) < content.rfind(JPEG_SCAN):
                raise ValueError("it has no end")
            image.load()
            return _opaque(ImageOps.exif_transpose(image)).convert(MODES[channels])
    except UnidentifiedImageError:
        raise ValueError(f"this is none of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"it claims an absurd size: {error}") from None
    except Exception as error:  # Pillow raises all kinds of things on broken files
        raise ValueError(f"it is broken: {error or type(error).__name__}") from None


def channels_of(content: bytes) -> int:
    """Return whether what ``open_picture`` can open is grey, 1, or in colour, 3."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        return 1 if image.mode in ("1", "L", "LA") or image.mode.startswith("I") else 3


def fit(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture as uint8 (C, height, width).

    One of another size is cropped centrally to the proportions asked for, then resized with
    antialiasing (bicubic).
    """
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, dtype=np.uint8).reshape(height, width, -1)
    return pixels.transpose(2, 0, 1).copy()


def _opaque(image: Image.Image) -> Image.Image:
    """Return 8 bits a channel without transparency."""
    if image.mode.startswith("I"):  # 16 bits of grey
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
