"""A folder of 200 unusual and broken files: each is decoded correctly or reported."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glow.data import SPLITS
from glow.data.names import printable
from tests.data.folders import folder

GRAY = 77
Maker = Callable[[np.random.Generator], bytes]


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (9, 7), **options: int) -> bytes:
    """Return a gray picture in any mode of any format."""
    picture = Image.new("L", size, GRAY)
    file = io.BytesIO()
    (picture if mode == "L" else picture.convert("RGB").convert(mode)).save(file, kind, **options)
    return file.getvalue()


def noisy(kind: str, random: np.random.Generator) -> bytes:
    """Return a picture of noise, which takes many bytes, so that it can be cut anywhere."""
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def sixteen_bits() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((7, 9), GRAY * 256 + 13, dtype=np.uint16)).save(file, "PNG")
    return file.getvalue()


def cut(kind: str) -> Maker:
    """Return a maker of pictures whose end is missing."""

    def make(random: np.random.Generator) -> bytes:
        whole = noisy(kind, random)
        return whole[: random.integers(1, int(0.9 * len(whole)))]

    return make


def flipped(kind: str) -> Maker:
    """Return a maker of pictures with 20 wrong bytes."""

    def make(random: np.random.Generator) -> bytes:
        content = bytearray(noisy(kind, random))
        for position in random.integers(0, len(content), 20):
            content[position] ^= int(random.integers(1, 256))
        return bytes(content)

    return make


def bomb(random: np.random.Generator) -> bytes:
    """Return a PNG whose header claims 60,000 by 60,000 pixels."""
    content = bytearray(encoded("PNG"))
    content[16:24] = (60000).to_bytes(4, "big") * 2
    return bytes(content)


GOOD: list[Maker] = [
    *(lambda _, m=mode: encoded("PNG", m) for mode in ("L", "RGB", "P", "RGBA", "LA")),
    lambda _: sixteen_bits(),
    lambda random: encoded("PNG", "L", (int(random.integers(1, 300)), 1)),
    lambda random: encoded("JPEG", "RGB", (1, int(random.integers(1, 300)))),
    *(lambda _, m=mode: encoded("JPEG", m, quality=95) for mode in ("L", "RGB", "CMYK")),
    lambda _: encoded("JPEG", progressive=1),
    lambda _: encoded("WEBP", lossless=1),
    lambda _: encoded("WEBP", "RGBA", lossless=1),
    *(lambda _, m=mode: encoded("BMP", m) for mode in ("L", "RGB", "P")),
    *(lambda _, m=mode: encoded("GIF", m) for mode in ("L", "P")),
    *(lambda _, m=mode: encoded("TIFF", m) for mode in ("L", "RGB", "RGBA", "CMYK")),
    lambda _: encoded("PPM"),
    lambda _: encoded("AVIF"),
    lambda random: encoded("JPEG", quality=95) + random.bytes(3000),
]
BAD: list[Maker] = [
    lambda _: b"",
    lambda _: b"\n <!DOCTYPE html><html>quota exceeded</html>",
    lambda _: b"a text",
    lambda random: random.bytes(500),
    lambda _: b"\0\0\0\x18ftypheic" + bytes(100),
    lambda _: b"8BPS\0\1" + bytes(100),
    lambda _: b"PK\x03\x04" + bytes(100),
    bomb,
    *(cut(kind) for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "PPM")),
]
EITHER: list[Maker] = [flipped(kind) for kind in ("PNG", "JPEG", "WEBP", "BMP")]
NAMES = [
    "{}.png",
    "{}.jpg",
    "{}",
    "wrong {}.txt",
    "ünï cödé {}.webp",
    "$x_{{{}}}$ \\alpha.png",
    "-{}.JPG",
    "😀 שלום \u202e{}.png",
    "bytes \udcff {}.png",
    "line \u2028\x85\x1c {}.gif",
    "new\nline {}.png",
    "deep/{}/x",
]


def test_broken_files_are_reported_and_unusual_ones_are_decoded(tmp_path: Path) -> None:
    root = tmp_path / "pictures"
    random = np.random.default_rng(0)
    good: set[str] = set()
    bad: set[str] = set()
    either: set[str] = set()
    for i in range(196):
        makers, names = ((GOOD, good), (BAD, bad), (EITHER, either))[(0, 0, 1, 1, 2)[i % 5]]
        name = NAMES[i % len(NAMES)].format(i)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(makers[i // 5 % len(makers)](random))
        names.add(name)
    (root / "nowhere.png").symlink_to("not_there.png")
    (root / "loop.png").symlink_to("loop.png")
    os.mkfifo(root / "pipe.png")
    (root / "a_folder.png").mkdir()
    bad |= {"nowhere.png", "loop.png", "pipe.png"}

    data = folder(tmp_path, image_shape=(3, 4, 6), on_bad_file="skip")
    with pytest.warns(UserWarning, match="pictures cannot be used"):
        data.prepare_data()
    data.setup()
    report = "".join(data.bad_files_report(split).read_text() for split in SPLITS)
    lines = report.splitlines()
    assert all(any(line.startswith(f"{printable(name)}: ") for line in lines) for name in bad)
    assert not any(f"{printable(name)}: " in report for name in good)
    assert len(bad) <= len(lines) <= len(bad) + len(either)
    for split, dataset in data.datasets.items():
        decoded = [
            picture.name
            for picture in data.pictures(split)
            if f"{printable(picture.name)}: " not in report
        ]
        assert len(decoded) == len(dataset)
        for name, image in zip(decoded, dataset.images, strict=True):
            assert name not in good or (image.int() - GRAY).abs().max() <= 2, name
    with pytest.raises(ValueError, match=r"\d+ pictures cannot be used .* All are listed"):
        folder(tmp_path, image_shape=(3, 4, 6), cache_dir=str(tmp_path / "other")).prepare_data()
