"""The folder that a training run leaves."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

# What may differ when a run is resumed: its length, where it runs, where its data is.
MAY_DIFFER = (
    "run_dir",
    "name",
    "trusted",
    "trainer.",
    "callbacks.",
    "model.memory",
    "compiled",
    "logger.",
    "data.root",
    "data.cache_dir",
    "data.download",
    "data.num_workers",
    "data.eval_batch_size",
    "retry_failed",
)
LENGTH_KEYS = ("trainer.max_", "trainer.limit_")


@dataclass(frozen=True)
class RunFolder:
    """The files of a run, by name.

    Args:
        path: The folder.
    """

    path: Path

    @classmethod
    def containing(cls, checkpoint: str | Path) -> RunFolder:
        """Return the run folder of a checkpoint, given the file or the folder itself.

        For a file that is not in a folder ``checkpoints/``, this is the folder of the file.
        """
        path = Path(checkpoint)
        if path.is_dir():
            return cls(path)
        return cls(path.parent.parent if path.parent.name == "checkpoints" else path.parent)

    @staticmethod
    def checkpoint_at(path: str | Path) -> Path:
        """Return the checkpoint file for a path: the file itself, or that of a run folder."""
        folder = RunFolder(Path(path))
        return folder.selected_checkpoint if folder.path.is_dir() else folder.path

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint with the lowest bits/dim on the validation images."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint from which the run resumes."""
        return self.checkpoints / "last.ckpt"

    @property
    def selected_checkpoint(self) -> Path:
        """The checkpoint that is tested and used: the best, or the last if none was validated."""
        return self.best if self.best.is_file() else self.last

    @property
    def metrics(self) -> Path:
        """The table of everything that was logged."""
        return self.path / "metrics.csv"

    @property
    def summary(self) -> Path:
        """The result, written when the run is finished."""
        return self.path / "summary.json"

    @property
    def failure(self) -> Path:
        """The traceback of a job of a sweep that failed."""
        return self.path / "failure.txt"

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.path / "figures"

    def write_config(self, config: DictConfig) -> None:
        """Write the config, with every interpolation resolved, to ``config.yaml``."""
        self.path.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, self.path / "config.yaml", resolve=True)

    def read_config(self) -> DictConfig:
        """Read ``config.yaml``.

        Raises:
            FileNotFoundError: If this is not a run folder.
        """
        path = self.path / "config.yaml"
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.path} is not the folder of a training run: it has no config.yaml. Give the "
                "folder of a run, or a checkpoint in its checkpoints/"
            )
        config = OmegaConf.load(path)
        assert isinstance(config, DictConfig)
        return config

    def read_summary(self) -> dict[str, Any]:
        """Read ``summary.json``."""
        summary: dict[str, Any] = json.loads(self.summary.read_text())
        return summary

    def is_finished(self, config: DictConfig) -> bool:
        """Return whether the run of ``config`` is finished here, at the length of ``config``.

        Raises:
            ValueError: If this folder holds another run.
        """
        if not self.summary.is_file():
            return False
        self.refuse_another_run(config)
        return not any(name.startswith(LENGTH_KEYS) for name in self._differences(config))

    def _differences(self, config: DictConfig) -> dict[str, str]:
        """Return, by name, a description of every value that differs from ``config.yaml``."""
        before = self.read_config()
        # The plan is computed from the rest of the config and the data, before training starts.
        planned = OmegaConf.merge(config, {"plan": before.get("plan", {})})
        here, there = (_flat(OmegaConf.to_container(c, resolve=True)) for c in (planned, before))
        return {
            key: f"{key} is {there.get(key)} there, not {here.get(key)}"
            for key in sorted(here.keys() | there.keys())
            if here.get(key) != there.get(key)
        }

    def refuse_another_run(self, config: DictConfig) -> None:
        """Raise ``ValueError`` if this folder holds a run that ``config`` cannot resume."""
        differences = self._differences(config)
        reasons = [text for name, text in differences.items() if not name.startswith(MAY_DIFFER)]
        if reasons:
            if len(reasons) > 8:
                reasons[8:] = [f"and {len(reasons) - 8} more"]
            raise ValueError(
                f"{self.path} holds another run, which cannot be resumed with this config: "
                f"{', '.join(reasons)}. Train in another run_dir, or with the values of config.yaml"
            )

    def data_config(self, override: DictConfig | None) -> DictConfig:
        """Return the config of the run's data, with values overridden, or that of other data.

        Args:
            override: Values to override, a whole data config, or None.
        """
        if override is not None and "_target_" in override:
            return override
        config = OmegaConf.merge(self.read_config().data, override or {})
        assert isinstance(config, DictConfig)
        return config

    def write_json(self, name: str, content: dict[str, Any]) -> Path:
        """Write a JSON file, such as ``summary.json``.

        Args:
            name: The name of the file; the end of a very long name is replaced by its checksum.
            content: Plain Python.

        Returns:
            The path of the file.
        """
        path = self.path / f"{capped(name.removesuffix('.json'))}.json"
        path.write_text(json.dumps(content, indent=2) + "\n")
        return path


def capped(name: str, longest: int = 120) -> str:
    """Return a name for a file, or the beginning of a very long name and its checksum.

    Args:
        name: The name.
        longest: The length up to which names are unchanged.

    >>> capped("abcdef", longest=3)
    'abc-4b8e39ef'
    """
    if len(name) <= longest:
        return name
    return f"{name[:longest]}-{zlib.crc32(name.encode()):08x}"


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return the values in nested dicts by their dotted names."""
    if not isinstance(value, dict):
        return {name: value}
    leaves: dict[str, Any] = {}
    for key, inner in value.items():
        leaves |= _flat(inner, f"{name}.{key}" if name else str(key))
    return leaves
