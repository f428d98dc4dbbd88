"""The data module of sources that are decoded once."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glow.data.decoded_cache import DecodedCache
from glow.data.image_data_module import SPLITS, Batch, ImageDataModule, SplitName


@dataclass(kw_only=True, eq=False)
class CachedDataModule(ImageDataModule):
    """A source whose images are decoded once, into ``cache_dir``, and read from there ever after.

    The images stay on the disk: what training reads of them is the system's to keep in memory, one
    copy for all processes. A subclass says what the images of a split depend on, and decodes them.
    """

    root: str
    cache_dir: str = "data/cache"
    _caches: dict[SplitName, DecodedCache] = field(default_factory=dict, init=False, repr=False)

    @abstractmethod
    def identity(self, split: SplitName) -> Mapping[str, Any]:
        """Return what the images and labels of a split depend on, as JSON can write it.

        Beside that, they depend on ``root`` and ``image_shape``.
        """

    @abstractmethod
    def decode(self, split: SplitName) -> Iterable[Batch]:
        """Yield the images of a split, some at a time."""

    def prepare_data(self) -> None:
        """Decode what is not decoded yet."""
        for split in SPLITS:
            self.build(split)

    def build(self, split: SplitName) -> None:
        """Decode a split, unless that was done."""
        self.cache(split).build(lambda: self.decode(split), self.image_shape)

    def read(self, split: SplitName) -> Batch:
        """Open the decoded images of a split."""
        return self.cache(split).open()

    def cache(self, split: SplitName) -> DecodedCache:
        """Return where the decoded images of a split lie, or will; the source is asked once."""
        if split not in self._caches:
            name = f"{type(self).__name__.lower()}_{split}"
            identity = {
                "root": str(Path(self.root).resolve()),
                "image_shape": list(self.image_shape),
                **self.identity(split),
            }
            self._caches[split] = DecodedCache(Path(self.cache_dir), name, identity)
        return self._caches[split]
