"""A ``Folder`` of pictures that a test has written."""

from pathlib import Path
from typing import Any

from glow.data import Folder


def folder(tmp_path: Path, **options: Any) -> Folder:
    """Return the source of the gray 4x4 pictures in ``tmp_path/pictures``."""
    settings = {
        "root": str(tmp_path / "pictures"),
        "cache_dir": str(tmp_path / "cache"),
        "image_shape": (1, 4, 4),
        "batch_size": 1,
    }
    return Folder(**{**settings, **options})
