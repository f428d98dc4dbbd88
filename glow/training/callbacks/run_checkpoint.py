"""The checkpoint of the best validation."""

from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ``ModelCheckpoint``, whose best score survives when the run folder is moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state, with its files in the folder of this run."""

        def here(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        moved = {
            name: here(value) if name.endswith("_path") else value
            for name, value in state_dict.items()
        }
        moved["dirpath"] = self.dirpath
        moved["best_k_models"] = {here(k): v for k, v in state_dict["best_k_models"].items()}
        super().load_state_dict(moved)
