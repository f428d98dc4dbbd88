import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glow.data.image_file import fit, open_picture

RED = (200, 30, 10)


def decode_image(content: bytes, image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    return fit(open_picture(content, image_shape[0]), *image_shape[1:])


def content(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def red(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (6, 4), RED).convert(mode)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "JPEG", "GIF", "TIFF", "PPM", "AVIF"])
def test_every_format_gives_its_pixels(kind: str) -> None:
    options = {"WEBP": {"lossless": 1}, "JPEG": {"quality": 95}}.get(kind, {})
    pixels = decode_image(content(red(), kind, **options), (3, 4, 6))
    assert pixels.shape == (3, 4, 6)
    assert pixels.dtype == np.uint8
    assert abs(pixels[:, 1, 2].astype(int) - RED).max() <= (3 if kind in ("JPEG", "AVIF") else 0)


def test_rows_and_columns_stay_in_place() -> None:
    values = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    pixels = decode_image(content(Image.fromarray(values)), (3, 2, 3))
    assert np.array_equal(pixels, values.transpose(2, 0, 1))


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "CMYK", "PA"])
def test_every_mode_gives_one_or_three_channels(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    if mode == "PA":
        source = red("RGBA").convert("P")
        source.info["transparency"] = 0
    else:
        source = red(mode)
    for channels in (1, 3):
        assert decode_image(content(source, kind), (channels, 4, 6)).shape == (channels, 4, 6)


def test_the_upper_8_of_16_bits_remain() -> None:
    values = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    pixels = decode_image(content(Image.fromarray(values)), (1, 1, 4))
    assert pixels.ravel().tolist() == [0, 0, 1, 255]


def test_transparent_pixels_become_white() -> None:
    image = Image.new("RGBA", (2, 1), (*RED, 0))
    image.putpixel((1, 0), (*RED, 255))
    pixels = decode_image(content(image), (3, 1, 2))
    assert pixels[:, 0].T.tolist() == [[255, 255, 255], list(RED)]


def test_another_size_is_cropped_centrally_and_resized() -> None:
    image = Image.new("L", (30, 10), 0)
    image.paste(255, (8, 0, 22, 10))  # the middle is white
    assert decode_image(content(image), (1, 5, 5)).min() == 255


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html>quota exceeded</html>", "a web page or other text"),
        (b"GIF89a but no picture", "broken: the header of this GIF cannot be read"),
        (b"8BPS in a format that is not accepted", "none of PNG, JPEG, WEBP, BMP, GIF, TIFF, AVIF"),
        (b"\x89PNG\r\n\x1a\n", "broken|none of"),
        (content(red())[:50], "broken|none of"),
        (content(red())[:-13] + b"?" + content(red())[-12:], "broken.*checksum"),
        (content(red(), "JPEG")[:-2] + bytes(2), "broken.*its end is missing"),
        (content(red(), "JPEG")[:300], "broken|none of"),
        (content(Image.effect_noise((64, 64), 50), "WEBP")[:700], "broken|none of"),
    ],
)
def test_incomplete_pictures_and_other_files_raise(broken: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_image(broken, (3, 4, 6))


def test_a_photo_is_rotated_as_its_exif_data_says() -> None:
    stored = Image.new("L", (6, 4), 0)
    stored.paste(255, (0, 0, 6, 2))  # the upper half, until the photo is turned clockwise
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = decode_image(content(stored, "PNG", exif=exif), (1, 6, 4))
    assert pixels[0, 0].tolist() == [0, 0, 255, 255]


def test_a_picture_above_pillows_limit_needs_a_larger_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    large = content(Image.new("L", (40, 40), 50))  # Pillow refuses what is twice as large
    with pytest.raises(
        ValueError, match=r"more pixels than data\.max_pixels=90 .*1600.*; set data"
    ):
        open_picture(large, 1, max_pixels=90)
    assert open_picture(large, 1, max_pixels=1600).size == (40, 40)
    with pytest.raises(ValueError, match=r"data\.max_pixels=1599 allows \(it is 40x40\)"):
        open_picture(large, 1, max_pixels=1599)


def test_a_program_without_pillows_limit_has_that_of_the_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ValueError, match=r"data\.max_pixels=1599 allows \(it is 40x40\)"):
        open_picture(content(Image.new("L", (40, 40))), 1, max_pixels=1599)
    assert Image.MAX_IMAGE_PIXELS is None


@pytest.mark.filterwarnings("error")
def test_a_warning_of_pillow_about_the_size_is_a_sentence_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(
        ValueError, match=r"data\.max_pixels=900 allows \(Image size \(1600 pixels\)"
    ):
        open_picture(content(Image.new("L", (40, 40))), 1, max_pixels=900)


def test_too_little_memory_is_not_called_a_broken_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(ValueError, match="there is not enough memory for its pixels"):
        open_picture(content(red()), 3)


@pytest.mark.parametrize("mode", ["F", "LAB"])
def test_pixels_that_cannot_be_converted_raise(mode: str) -> None:
    with pytest.raises(
        ValueError, match=f"its pixels are in Pillow's mode {mode}: save it in gray"
    ):
        open_picture(content(Image.new(mode, (2, 2)), "TIFF"), 3)


def test_gray_with_more_than_16_bits_raises() -> None:
    values = np.array([[0, 2**16]], dtype=np.int32)
    with pytest.raises(ValueError, match="its pixels have more than 16 bits"):
        open_picture(content(Image.fromarray(values), "TIFF"), 1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bits_are_reduced_in_every_format(kind: str) -> None:
    values = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    pixels = decode_image(content(Image.fromarray(values), kind), (3, 1, 4))
    assert pixels[0].ravel().tolist() == [0, 0, 1, 255]
