"""From the bytes of a picture file to the uint8 array that a model sees."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MODES = {1: "L", 3: "RGB"}  # Pillow's, by the number of channels


def decode_image(content: bytes, image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Decode a picture to uint8 (C,H,W) of ``image_shape``.

    A picture of another size is cropped centrally to the proportions asked for, then resized with
    antialiasing (bicubic). Grey pictures become colour ones and the other way round; 16 bits a
    channel lose the lower 8; what is transparent lies on white; a photo is turned as its EXIF says.

    Raises ``ValueError`` with the reason where the content is no whole png, jpeg, webp or bmp.
    """
    channels, height, width = image_shape
    if not content:
        raise ValueError("the file is empty")
    if content.lstrip()[:1] == b"<":
        raise ValueError("this is a web page or other text, not a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                image.load()
                picture = _opaque(ImageOps.exif_transpose(image)).convert(MODES[channels])
    except UnidentifiedImageError:
        raise ValueError(f"this is none of {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(f"it claims an absurd size: {error}") from None
    except (OSError, SyntaxError, ValueError, IndexError, EOFError) as error:
        raise ValueError(f"it is broken: {error}") from None
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, dtype=np.uint8).reshape(height, width, channels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _opaque(image: Image.Image) -> Image.Image:
    """Return 8 bits a channel without transparency."""
    if image.mode.startswith("I"):  # 16 bits of grey
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
