"""Transparent pixels become white in every mode that can have them."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from glow.data.image_file import open_picture
from tests.data.png import png

PALETTE = (b"PLTE", bytes([9] * 3 + [20] * 3 + [30] * 3))


def gray(content: bytes) -> list[int]:
    """Return the first row in gray, after checking that it is the same in color."""
    in_gray = np.asarray(open_picture(content, 1))[0].tolist()
    in_color = np.asarray(open_picture(content, 3))[0].tolist()
    assert in_color == [[value] * 3 for value in in_gray]
    return in_gray


def trns(*values: int) -> tuple[bytes, bytes]:
    return b"tRNS", struct.pack(f">{len(values)}H", *values)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(b"\x40", 2, 1, 0, trns(0)), [255, 255]),
        (png(b"\x40", 2, 1, 0, trns(1)), [0, 255]),
        (png(bytes([0b00011011]), 4, 2, 0, trns(1)), [0, 255, 170, 255]),
        (png(b"\x5a", 2, 4, 0, trns(5)), [255, 170]),
        (png(bytes([5, 6]), 2, 8, 0, trns(5)), [255, 6]),
        (png(struct.pack(">HH", 25600, 25601), 2, 16, 0, trns(25600)), [255, 100]),
        (png(bytes([1, 1, 1, 4, 4, 4]), 2, 8, 2, trns(1, 1, 1)), [255, 4]),
        (
            png(struct.pack(">6H", *[9000] * 3, *[25600] * 3), 2, 16, 2, trns(*[9000] * 3)),
            [255, 100],
        ),
        (png(bytes([0, 1, 2]), 3, 8, 3, PALETTE, (b"tRNS", b"\0")), [255, 20, 30]),
        (png(bytes([0, 1, 2]), 3, 8, 3, PALETTE, (b"tRNS", b"\xff\x80\0")), [9, 137, 255]),
        (png(bytes([0b00011000]), 3, 2, 3, PALETTE, (b"tRNS", b"\xff\0")), [9, 255, 30]),
        (png(bytes([100, 0, 100, 255]), 2, 8, 4), [255, 100]),
        (png(struct.pack(">4H", 25600, 0, 25600, 65535), 2, 16, 4), [255, 100]),
        (png(bytes([1, 1, 1, 0, 7, 7, 7, 255]), 2, 8, 6), [255, 7]),
        (png(struct.pack(">8H", 1, 1, 1, 0, *[25600] * 3, 65535), 2, 16, 6), [255, 100]),
    ],
)
def test_every_kind_of_png_is_put_on_white(content: bytes, expected: list[int]) -> None:
    assert gray(content) == expected


def half_transparent(mode: str) -> Image.Image:
    """Return a transparent and an opaque gray pixel."""
    image = Image.new("LA", (2, 1), (100, 255))
    image.putpixel((0, 0), (100, 0))
    if mode == "PA":
        opacity = image.getchannel("A")
        image = image.convert("RGB").quantize(4)
        image.putalpha(opacity)
        return image
    return image if mode == "LA" else image.convert("RGBA")


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("PNG", "LA", {}),
        ("PNG", "RGBA", {}),
        ("TIFF", "LA", {}),
        ("TIFF", "PA", {}),
        ("TIFF", "RGBA", {}),
        ("WEBP", "RGBA", {"lossless": True, "exact": True}),
        ("GIF", "RGBA", {}),
        ("AVIF", "RGBA", {"quality": 100}),
    ],
)
def test_every_format_is_put_on_white(kind: str, mode: str, options: dict[str, int]) -> None:
    file = io.BytesIO()
    half_transparent(mode).save(file, kind, **options)
    assert gray(file.getvalue()) == pytest.approx([255, 100], abs=2 if kind == "AVIF" else 0)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_the_first_picture_of_an_animation_is_put_on_white(kind: str) -> None:
    clear, red = (Image.new("RGBA", (4, 4), (255, 0, 0, opacity)) for opacity in (0, 255))
    file = io.BytesIO()
    clear.save(file, kind, save_all=True, append_images=[red])
    assert np.asarray(open_picture(file.getvalue(), 3)).min() == 255


def test_colors_multiplied_by_their_opacity_are_put_on_white() -> None:
    image = Image.new("RGBA", (2, 1), (50, 50, 50, 128))
    image.putpixel((0, 0), (0, 0, 0, 0))
    file = io.BytesIO()
    image.save(file, "TIFF")
    straight, multiplied = (struct.pack("<HHII", 338, 3, 1, kind) for kind in (2, 1))
    assert file.getvalue().count(straight) == 1
    assert gray(file.getvalue().replace(straight, multiplied)) == [255, 50 + 127]


def test_a_bmp_with_opacity_is_put_on_white() -> None:
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 2835, 2835, 0, 0) + masks
    pixels = bytes([9, 9, 9, 0, 20, 20, 20, 255])
    start = b"BM" + struct.pack("<IHHI", 14 + 108 + len(pixels), 0, 0, 14 + 108)
    assert gray(start + header + b" niW" + bytes(48) + pixels) == [255, 20]
