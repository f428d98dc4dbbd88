"""What does not change the pixels of a picture does not make it a broken one."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glow.data.image_file import channels_of, open_picture
from tests.data.folders import folder
from tests.data.png import SIGNATURE, chunk, png

RANDOM = np.random.default_rng(0)
NOISE = Image.fromarray(RANDOM.integers(0, 256, (40, 56, 3), dtype=np.uint8))


def encoded(kind: str, picture: Image.Image = NOISE, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


JPEG, PROGRESSIVE = encoded("JPEG"), encoded("JPEG", progressive=True)
ORIGINAL = encoded("PNG")


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(open_picture(content, 3))


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a JPEG file."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def with_segment(marker: int, content: bytes) -> bytes:
    """Return the JPEG file with a segment of metadata."""
    return JPEG[:2] + segment(marker, content) + JPEG[2:]


@pytest.mark.parametrize("jpeg", [JPEG, PROGRESSIVE])
def test_whatever_follows_the_end_of_a_jpeg_does_not_matter(jpeg: bytes) -> None:
    video = struct.pack(">I", 24) + b"ftypmp42" + RANDOM.bytes(3000)
    scan, end = b"\xff\xda", b"\xff\xd9"
    after = [RANDOM.bytes(5000) for _ in range(60)]
    after += [scan, end + scan, scan * 50, bytes(500), b"\n", jpeg, jpeg[:200], video, b"\xff" * 9]
    for trailer in after:
        assert np.array_equal(pixels(jpeg + trailer), pixels(jpeg))


def test_the_first_of_several_pictures_in_a_jpeg_is_taken() -> None:
    other = Image.new("RGB", NOISE.size, "red")
    several = encoded("MPO", save_all=True, append_images=[other])
    with Image.open(io.BytesIO(several)) as image:
        assert image.format == "MPO"
    assert np.array_equal(pixels(several), pixels(JPEG))


@pytest.mark.parametrize("marker", [0xE1, 0xE2, 0xE5, 0xED, 0xEF, 0xFE])
@pytest.mark.parametrize(
    "start",
    [
        *(b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08", b"Exif\0\0II*\0\x08\0\0\0", b"MPF\0"),
        *(b"", b"ICC_PROFILE\0"),
        *(b"ICC_PROFILE\0\1\1", b"Photoshop 3.0\x008BIM", b"http://ns.adobe.com/xap/1.0/\0"),
        *(b"\xff\xda\xff\xd9", b"\xff\xda" + JPEG, b"MPF\0II*\0\x08\0\0\0"),
    ],
)
@pytest.mark.filterwarnings("ignore")  # Pillow's, about the metadata
def test_no_metadata_makes_a_jpeg_broken(marker: int, start: bytes) -> None:
    for n in (0, 1, 5, 40, 400):
        content = with_segment(marker, start + RANDOM.bytes(n))
        assert np.array_equal(pixels(content), pixels(JPEG))


def test_markers_may_be_padded_and_be_of_any_kind() -> None:
    table = JPEG.index(b"\xff\xdb")
    odd = b"\xff" * 5 + segment(0xEB, b"\xff\xd9") + b"\xff\xff\xff" + segment(0xFE, b"")
    content = JPEG[:table] + odd + JPEG[table:]
    assert np.array_equal(pixels(content), pixels(JPEG))
    restarted = encoded("JPEG", restart_marker_blocks=1)
    assert np.array_equal(pixels(restarted), pixels(JPEG))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_broken_exif_data_leaves_a_picture_as_it_is(kind: str) -> None:
    plain = encoded(kind)
    content = encoded(kind, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + RANDOM.bytes(60))
    assert np.array_equal(pixels(content), pixels(plain))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_broken_color_profile_leaves_a_picture_as_it_is(kind: str) -> None:
    content = encoded(kind, icc_profile=RANDOM.bytes(3000))
    assert np.array_equal(pixels(content), pixels(encoded(kind)))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "MPO"])
def test_photos_are_turned_upright(kind: str, turn: int) -> None:
    upright = np.zeros((16, 24), dtype=np.uint8)
    upright[:8, :12] = 255
    stored = {  # how a camera that is held in each way stores the picture
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright[::-1, ::-1].T,
        8: upright.T[:, ::-1],
    }[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    content = encoded(kind, Image.fromarray(np.ascontiguousarray(stored)), exif=exif.tobytes())
    assert np.abs(np.asarray(open_picture(content, 1)).astype(int) - upright).max() <= 60


PROFILE = (b"iCCP", b"name\0\0" + zlib.compress(bytes(2_000_000)))


@pytest.mark.parametrize(
    "extra",
    [
        PROFILE,
        (b"iCCP", b"name\0\7" + b"unknown compression"),
        (b"zTXt", b"workflow\0\0" + zlib.compress(bytes(2_000_000))),
        (b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(bytes(2_000_000))),
        (b"tEXt", b"key\0" + RANDOM.bytes(300)),
        (b"cHRM", b"too short"),
        (b"gAMA", b""),
        (b"pHYs", b""),
        (b"sRGB", b""),
        (b"acTL", b"short"),
        (b"fcTL", bytes(26)),
        (b"eXIf", RANDOM.bytes(50)),
        (b"prVt", RANDOM.bytes(50)),
    ],
)
def test_no_metadata_makes_a_png_broken(extra: tuple[bytes, bytes]) -> None:
    content = png(bytes(range(6)), 2, 8, 2, extra)
    assert pixels(content).tolist() == [[[0, 1, 2], [3, 4, 5]]]
    assert channels_of(content) == 3


def test_a_wrong_checksum_of_metadata_does_not_matter() -> None:
    for name in (b"tEXt", b"eXIf"):
        wrong = chunk(name, b"key\0value")[:-1] + b"?"
        content = ORIGINAL[:33] + wrong + ORIGINAL[33:]
        assert np.array_equal(pixels(content), pixels(ORIGINAL))


def test_whatever_follows_the_end_of_another_picture_does_not_matter() -> None:
    for kind in ("PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "PPM"):
        content = encoded(kind)
        assert np.array_equal(pixels(content + RANDOM.bytes(5000)), pixels(content)), kind


def zeros(content: bytes, start: float, stop: float) -> bytes:
    """Return a file with zeros between two parts of its length."""
    first, last = int(start * len(content)), int(stop * len(content))
    return content[:first] + bytes(last - first) + content[last:]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (JPEG[: len(JPEG) // 2], "it is broken: its end is missing"),
        (JPEG[:-2], "it is broken: its end is missing"),
        (zeros(JPEG, 0.5, 1), "it is broken: its end is missing"),
        (zeros(PROGRESSIVE, 0.5, 1), "it is broken: its end is missing"),
        (with_segment(0xE1, b"Exif\0\0" + JPEG)[:-300], "it is broken: its end is missing"),
        (ORIGINAL[: len(ORIGINAL) // 2], "it is broken: its end is missing"),
        (ORIGINAL[:-12], "it is broken: its end is missing"),
        (zeros(ORIGINAL, 0.3, 0.6), "it is broken: the checksum of its chunk IDAT is wrong"),
        (zeros(ORIGINAL, 0.3, 1), "it is broken: the checksum of its chunk IDAT is wrong"),
        (SIGNATURE + bytes(500), "it is broken: there is no chunk at byte 8"),
        (JPEG[:60] + bytes(2000), "it is broken: its end is missing"),
        (b"\xff\xd8\xff\xd9" * 9, "it is broken: the header of this JPEG cannot be read"),
        (b"BM" + bytes(50), "it is broken: "),
        (encoded("GIF")[:1500], "it is broken: .*truncated"),
        (encoded("TIFF")[:300], "it is broken: "),
        (encoded("AVIF")[:300], "it is broken: "),
        (encoded("PPM")[:300], "it is broken: .*truncated"),
        (b"", "the file is empty"),
        (bytes(500), "it is none of PNG"),
        (b"<html><body>not found</body></html>", "it is a web page or other text"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><svg/>', "it is a web page or other text"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "it is HEIC: convert it to PNG or JPEG"),
    ],
)
def test_what_is_wrong_with_a_broken_picture_is_true(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_picture(content, 3)


def test_a_folder_of_moving_photos_is_read(tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    root.mkdir()
    for i in range(120):
        (root / f"{i}.jpg").write_bytes(JPEG + RANDOM.bytes(4000))
    data = folder(tmp_path)
    data.prepare_data()
    data.setup()
    assert sum(len(dataset) for dataset in data.datasets.values()) == 120
