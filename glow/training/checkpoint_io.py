"""How training writes and reads its checkpoints."""

import warnings
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.plugins.io import TorchCheckpointIO

from glow.system.sealed_file import check_seal, previous_of, save_sealed


class SealedCheckpointIO(TorchCheckpointIO):
    """Write checkpoints that are never half there, and keep the previous file of the same name.

    See ``glow.system.sealed_file``. The previous file is ``<name>.previous``.

    Args:
        on_failure: ``stop`` to end training if a checkpoint cannot be written, as on a full disk;
            ``warn`` to go on. Files that were written before stay as they are in both cases.

    Raises:
        ValueError: If ``on_failure`` is neither.
    """

    def __init__(self, on_failure: Literal["stop", "warn"] = "stop") -> None:
        super().__init__()
        if on_failure not in ("stop", "warn"):
            raise ValueError(f"on_failure must be stop or warn, got {on_failure}")
        self.on_failure = on_failure

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_sealed(checkpoint, path, previous_of(path))
        except OSError as error:
            if self.on_failure == "stop":
                raise
            warnings.warn(f"{error}; training goes on without this checkpoint", stacklevel=2)

    def load_checkpoint(self, path: str | Path, *args: Any, **options: Any) -> dict[str, Any]:
        """Read a checkpoint.

        Raises:
            BrokenFileError: If it is not what was written.
        """
        check_seal(path)
        return super().load_checkpoint(path, *args, **options)
