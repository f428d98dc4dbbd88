"""The folder that a training run leaves behind."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

# What may change when a run is resumed: its length, where it runs, where its data lies.
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
LENGTH = ("trainer.max_", "trainer.limit_")  # what says how long a run is


@dataclass(frozen=True)
class RunFolder:
    """The files of a run, by name."""

    path: Path

    @classmethod
    def of(cls, checkpoint: str | Path) -> RunFolder:
        """Return the run folder of a checkpoint; a path to the folder itself will do.

        For a file that lies in no ``checkpoints/`` it is the folder of the file.
        """
        path = Path(checkpoint)
        if path.is_dir():
            return cls(path)
        return cls(path.parent.parent if path.parent.name == "checkpoints" else path.parent)

    @staticmethod
    def checkpoint_at(path: str | Path) -> Path:
        """Return the checkpoint that a path means: itself, or the best one of a run folder."""
        folder = RunFolder(Path(path))
        return folder.kept if folder.path.is_dir() else folder.path

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
        """The checkpoint to resume from."""
        return self.checkpoints / "last.ckpt"

    @property
    def kept(self) -> Path:
        """The checkpoint that stands for the run: the best, or the last if none was validated."""
        return self.best if self.best.is_file() else self.last

    @property
    def metrics(self) -> Path:
        """The table of everything that was logged."""
        return self.path / "metrics.csv"

    @property
    def summary(self) -> Path:
        """The result, written when all is done."""
        return self.path / "summary.json"

    @property
    def failure(self) -> Path:
        """The traceback of a job of a sweep that has failed."""
        return self.path / "failure.txt"

    @property
    def figures(self) -> Path:
        """The folder of the figures."""
        return self.path / "figures"

    def write_config(self, config: DictConfig) -> None:
        """Write the config, every interpolation resolved, to ``config.yaml``."""
        self.path.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, self.path / "config.yaml", resolve=True)

    def read_config(self) -> DictConfig:
        """Read ``config.yaml``; raise ``FileNotFoundError`` where this is no run folder."""
        path = self.path / "config.yaml"
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.path} is not the folder of a training run: it has no config.yaml. Name "
                "the folder, or a checkpoint in its checkpoints/"
            )
        config = OmegaConf.load(path)
        assert isinstance(config, DictConfig)
        return config

    def read_summary(self) -> dict[str, Any]:
        """Read ``summary.json``."""
        summary: dict[str, Any] = json.loads(self.summary.read_text())
        return summary

    def is_finished(self, config: DictConfig) -> bool:
        """Return whether the run of ``config`` has come to its end here, and not a shorter one."""
        if not self.summary.is_file():
            return False
        self.refuse_another_run(config)
        return not any(name.startswith(LENGTH) for name in self._differences(config))

    def _differences(self, config: DictConfig) -> dict[str, str]:
        """Return, by name, what is told of the values that are others in ``config.yaml``."""
        here, there = (
            _flat(OmegaConf.to_container(c, resolve=True)) for c in (config, self.read_config())
        )
        return {
            key: f"{key} is {there.get(key)} there, not {here.get(key)}"
            for key in sorted(here.keys() | there.keys())
            if here.get(key) != there.get(key)
        }

    def refuse_another_run(self, config: DictConfig) -> None:
        """Raise ``ValueError`` where the run in this folder is not that of ``config``."""
        differences = self._differences(config)
        told = [text for name, text in differences.items() if not name.startswith(MAY_DIFFER)]
        if told:
            raise ValueError(
                f"{self.path} holds another run, which this one cannot go on with: "
                f"{', '.join(told)}. Train in another run_dir, or with the values of config.yaml"
            )

    def data_config(self, override: DictConfig | None) -> DictConfig:
        """Return the config of the run's data, with some of its values overridden, or another's."""
        if override is not None and "_target_" in override:
            return override
        config = OmegaConf.merge(self.read_config().data, override or {})
        assert isinstance(config, DictConfig)
        return config

    def write_json(self, name: str, content: dict[str, Any]) -> Path:
        """Write a JSON file, ``summary.json`` say; return its path."""
        path = self.path / f"{capped(name.removesuffix('.json'))}.json"
        path.write_text(json.dumps(content, indent=2) + "\n")
        return path


def capped(name: str, longest: int = 120) -> str:
    """Return a name for a file, or of a very long one its beginning and its checksum."""
    if len(name) <= longest:
        return name
    return f"{name[:longest]}-{zlib.crc32(name.encode()):08x}"


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return the values within plain dicts by their dotted names."""
    if not isinstance(value, dict):
        return {name: value}
    leaves: dict[str, Any] = {}
    for key, inner in value.items():
        leaves |= _flat(inner, f"{name}.{key}" if name else str(key))
    return leaves
