"""How PNG and JPEG files are built, to tell complete ones from broken ones."""

import re
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The chunks that pixels depend on, and the one that says how a photo was held.
PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf")
JPEG_MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])")  # one that ends or has a length
JPEG_END = b"\xd9"
JPEG_METADATA = re.compile(rb"[\xe2-\xed\xef\xfe]")  # without EXIF data and the kind of color


def pixel_chunks(png: bytes) -> bytes:
    """Return a PNG file without the chunks that its pixels do not depend on.

    Pillow refuses a picture if a comment or a color profile is broken or very long.

    Args:
        png: The content of the file, with its signature.

    Raises:
        ValueError: If the file is not complete, or a checksum is wrong.
    """
    position, selected = len(PNG_SIGNATURE), [PNG_SIGNATURE]
    while position < len(png):
        length = int.from_bytes(png[position : position + 4])
        chunk = png[position : position + length + 12]
        name = chunk[4:8]
        if len(chunk) < length + 12:
            break
        if not name.isalpha():
            raise ValueError(f"there is no chunk at byte {position}")
        if name in PNG_CHUNKS:
            if zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:]):
                selected.append(chunk)
            elif name != b"eXIf":
                raise ValueError(f"the checksum of its chunk {name.decode()} is wrong")
        if name == b"IEND":
            return b"".join(selected)
        position += len(chunk)
    raise ValueError("its end is missing")


def pixel_segments(jpeg: bytes) -> bytes:
    """Return the first picture of a JPEG file, without metadata that its pixels do not depend on.

    Pillow does not notice if the pixels end in zeros, as after an interrupted download. What comes
    after the end, such as the video of a moving photo or a second picture, does not matter.

    Args:
        jpeg: The content of the file, with its signature.

    Raises:
        ValueError: If the file is not complete.
    """
    position, selected = 2, [jpeg[:2]]
    while marker := JPEG_MARKER.search(jpeg, position):
        selected.append(jpeg[position : marker.start()])  # pixels have no marker before them
        if marker[1] == JPEG_END:
            return b"".join((*selected, marker[0]))
        position = marker.end() + int.from_bytes(jpeg[marker.end() : marker.end() + 2])
        if not JPEG_METADATA.match(marker[1]):
            selected.append(jpeg[marker.start() : position])
    raise ValueError("its end is missing")
