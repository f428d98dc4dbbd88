"""The data module of sources that are decoded once."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glow.data.decoded_cache import DecodedCache
from glow.data.image_data_module import SPLITS, Batch, ImageDataModule, SplitName
from glow.data.names import user_path


@dataclass(kw_only=True, eq=False)
class CachedDataModule(ImageDataModule):
    """A source that decodes its images once, into ``cache_dir``, and then reads them from there.

    The images stay on disk and are mapped into memory, so all processes share the one copy that the
    operating system caches. Several processes may call ``prepare_data`` at once; one of them
    decodes.

    A subclass decodes the images of a split, and names what they depend on.

    Args:
        root: The folder of the source's files.
        cache_dir: The folder of the decoded images. It may be deleted at any time.

    See ``ImageDataModule`` for the other arguments.
    """

    root: str
    cache_dir: str = "data/cache"
    _caches: dict[SplitName, DecodedCache] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.root, self.cache_dir = str(user_path(self.root)), str(user_path(self.cache_dir))

    def origin(self, split: SplitName) -> str:
        """Return the folder of the source's files."""
        return str(Path(self.root).resolve())

    @abstractmethod
    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return what the images and labels of a split depend on, besides root and image shape.

        Keys and values must be representable in JSON. Images are decoded again when any of them
        changes.
        """

    @abstractmethod
    def decode(self, split: SplitName) -> Iterable[Batch]:
        """Yield the images of a split and their labels in chunks of any size."""

    def prepare_data(self) -> None:
        """Decode the splits that are not in the cache yet."""
        for split in SPLITS:
            self.build(split)

    def build(self, split: SplitName) -> None:
        """Decode a split unless it is in the cache."""
        self.cache(split).build(lambda: self.decode(split), self.image_shape)

    def read(self, split: SplitName) -> Batch:
        """Map the decoded images of a split into memory."""
        return self.cache(split).open()

    def cache(self, split: SplitName) -> DecodedCache:
        """Return the cache of a split, whether it is built or not; call ``identity`` only once."""
        if split not in self._caches:
            name = f"{type(self).__name__.lower()}_{split}"
            identity = {
                "root": str(Path(self.root).resolve()),
                "image_shape": list(self.image_shape),
                **self.identity(split),
            }
            self._caches[split] = DecodedCache(Path(self.cache_dir), name, identity)
        return self._caches[split]
