"""From the bytes of a picture file to the uint8 array that a model sees."""

import codecs
import io
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from glow.data.picture_structure import pixel_chunks, pixel_segments

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "PPM")
# How files begin, to tell a broken picture from another file.
BEGINNINGS = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "WEBP": rb"RIFF.{4}WEBP",
    "BMP": rb"BM.{4}\0{4}",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II\*\0|MM\0\*",
    "AVIF": rb".{4}ftypavi[fs]",
    "HEIC": rb".{4}ftyp(hei|hev|mif|msf)",
    "PPM": rb"P[1-6]\s",
}
# How the names of pictures end, also of kinds that cannot be decoded.
PICTURE_SUFFIX = re.compile(
    r"\.(a?png|arw|avif|bmp|cr[23]|dib|dng|gif|hei[cf]|ico|j2k|jfif|jp2|jp(e|g|eg)|jxl|nef|p[bgnp]m"
    r"|psd|raw|svg|tga|tiff?|webp)",
    re.IGNORECASE,
)
OTHER_NAME = re.compile("(readme|licen[cs]e|copying|notice|authors|makefile)", re.IGNORECASE)
MAX_PIXELS = 80_000_000  # below the size at which Pillow begins to warn
MODES = {1: "L", 3: "RGB"}  # Pillow's mode for each number of channels
TURNS = {  # by the value of the EXIF tag
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class NotAPictureError(ValueError):
    """Content that does not even begin like a picture."""


def read_file(path: Path) -> bytes:
    """Read a file.

    Raises:
        ValueError: If there is no such file, or it is not a regular file.
    """
    if not path.is_file():  # reading a pipe would block
        raise ValueError("it is not a regular file" if path.exists() else "there is no such file")
    return path.read_bytes()


def is_other_name(name: str) -> bool:
    """Return whether a file is meant to be something else than a picture by its name.

    >>> [is_other_name(name) for name in ("cat.JPG", "0001", "labels.csv", "README")]
    [False, False, True, True]
    """
    suffix = Path(name).suffix
    if not suffix:
        return OTHER_NAME.fullmatch(Path(name).name) is not None
    return PICTURE_SUFFIX.fullmatch(suffix) is None


def is_picture(path: Path) -> bool:
    """Return whether a file is a picture, even a broken one, by its name or its first bytes."""
    if PICTURE_SUFFIX.fullmatch(path.suffix):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _kind(file.read(16)) is not None


def open_picture(content: bytes, channels: int, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture to gray or RGB with 8 bits per channel.

    Gray pictures become RGB and color pictures gray if necessary; of 16 bits per channel the upper
    8 remain; transparent pixels are blended with white; photos are rotated as their EXIF data says;
    of several pictures in a file, such as those of an animation, the first is taken.

    Args:
        content: The bytes of a file in one of ``FORMATS``.
        channels: 1 for gray, 3 for RGB.
        max_pixels: The largest number of pixels of a picture.

    Raises:
        NotAPictureError: If the content is something else, such as text.
        ValueError: If the content is not a complete picture in one of these formats. The message
            gives the reason, without the name of the file.
    """
    if not content:
        raise NotAPictureError("the file is empty")
    if content[:512].removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<":
        raise NotAPictureError("it is a web page or other text, not a picture")
    try:
        image = _load(content, max_pixels)
    except UnidentifiedImageError:
        kind = _kind(content)
        if kind is None:
            raise NotAPictureError(f"it is none of {', '.join(FORMATS)}") from None
        if kind not in FORMATS:
            raise ValueError(f"it is {kind}: convert it to PNG or JPEG") from None
        raise ValueError(f"it is broken: the header of this {kind} cannot be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        size = str(error).partition(" exceeds")[0]
        raise ValueError(
            f"it has more pixels than data.max_pixels={max_pixels} allows ({size}); set "
            "data.max_pixels to more if it is a picture of that size"
        ) from None
    except MemoryError:
        raise ValueError("there is not enough memory for its pixels") from None
    except Exception as error:  # Pillow raises many kinds of errors on broken files
        raise ValueError(f"it is broken: {error or type(error).__name__}") from None
    opaque = _opaque(image, content).convert(MODES[channels])
    with suppress(Exception):  # Pillow also raises many kinds on broken EXIF data
        return opaque.transpose(TURNS[image.getexif()[ExifTags.Base.Orientation]])
    return opaque


def channels_of(content: bytes) -> int:
    """Return 1 if a picture file is gray and 3 if it is in color; it must be a valid picture."""
    with _open(content) as image:
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


def _kind(content: bytes) -> str | None:
    """Return the format that a file begins like, also if it is broken."""
    start = content[:16]
    kinds = (kind for kind, first in BEGINNINGS.items() if re.match(first, start, re.DOTALL))
    return next(kinds, None)


def _open(content: bytes) -> Image.Image:
    """Read the header of a picture, after removing metadata that can be broken."""
    kind = _kind(content)
    if kind == "PNG":
        content = pixel_chunks(content)
    elif kind == "JPEG":
        content = pixel_segments(content)
    return Image.open(io.BytesIO(content), formats=FORMATS)


def _load(content: bytes, max_pixels: int) -> Image.Image:
    """Return the first picture of a file, with its pixels; raise whatever Pillow raises."""
    if Image.MAX_IMAGE_PIXELS is not None:  # a limit of the whole program, checked by Pillow
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)
    image = _open(content)
    if image.width * image.height > max_pixels:
        raise Image.DecompressionBombError(f"it is {image.width}x{image.height}")
    image.load()
    return image


def _opaque(image: Image.Image, content: bytes) -> Image.Image:
    """Reduce 16 bits per channel to 8, and blend transparent pixels with white."""
    key: Any = image.info.get("transparency")  # the color, of a picture without opacity
    if image.mode.startswith("I"):
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() >= 2**16:
            raise ValueError("its pixels have more than 16 bits: save it with 8 or 16")
        pixels = (levels >> 8).astype(np.uint8)
        pixels[levels == key] = 255
        return Image.fromarray(pixels)
    if image.mode in ("F", "HSV", "LAB"):
        raise ValueError(f"its pixels are in Pillow's mode {image.mode}: save it in gray or RGB")
    if not image.has_transparency_data:
        return image
    if image.format == "PNG" and image.mode in ("L", "RGB"):
        # The color has the bits of the file, and the pixels have 8.
        bits = content[24]
        in_8_bits = [
            value >> 8 if bits == 16 else (value & 2**bits - 1) * 255 // (2**bits - 1)
            for value in np.atleast_1d(key).tolist()
        ]
        image.info["transparency"] = tuple(in_8_bits) if image.mode == "RGB" else in_8_bits[0]
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
