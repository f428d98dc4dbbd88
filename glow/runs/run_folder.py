"""The folder that a training run leaves."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from glow import pretrained
from glow.pretrained import Released
from glow.system.sealed_file import BrokenFileError, check_seal, previous_of

# What may change when a run is resumed, because it cannot change what a step learns. A key stands
# for everything inside of it.
LENGTH = (
    *("trainer.max_epochs", "trainer.max_steps", "trainer.max_time"),
    *("trainer.limit_test_batches", "callbacks.timer"),
)
DEVICE = (
    *("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy"),
    *(
        "model.memory",
        "compiled",
        "deterministic",
        "trainer.deterministic",
        "threads",
        "data.num_workers",
        "data.eval_batch_size",
        "optimizer.fused",
        "optimizer.foreach",
    ),
)
FOLDERS = (
    *("run_dir", "data.root", "data.cache_dir", "data.download"),  # the images are compared
    *("name", "paper", "trusted", "retry_failed"),
)
LOGGING = (
    *("logger", "trainer.log_every_n_steps", "trainer.enable_progress_bar"),
    *("trainer.enable_model_summary", "callbacks.learning_rate", "callbacks.health"),
    *("callbacks.samples", "callbacks.progress", "callbacks.last", "callbacks.guard"),
    "checkpoint_io",
)
MAY_CHANGE = (*LENGTH, *DEVICE, *FOLDERS, *LOGGING)


def is_within(name: str, keys: Iterable[str]) -> bool:
    """Return whether a dotted name is one of the keys, or inside of one.

    >>> is_within("logger.wandb.project", ["name", "logger"])
    True

    Args:
        name: The name.
        keys: The keys.
    """
    return any(name == key or name.startswith(f"{key}.") for key in keys)


@dataclass(frozen=True)
class RunFolder:
    """The files of a run, by name.

    Args:
        path: The folder.
        released: The model that comes with Glow and takes the place of the run's, or None.
    """

    path: Path
    released: Released | None = None

    @classmethod
    def containing(cls, checkpoint: str | Path) -> RunFolder:
        """Return the run folder of a checkpoint, given the file or the folder itself.

        For a file that is not in a folder ``checkpoints/``, this is the folder of the file; for a
        model that comes with Glow, it is ``runs/<name>``, which need not exist.
        """
        if released := pretrained.find(checkpoint):
            return cls(Path("runs") / released.name, released)
        path = Path(checkpoint)
        if path.is_dir():
            return cls(path)
        return cls(path.parent.parent if path.parent.name == "checkpoints" else path.parent)

    @staticmethod
    def checkpoint_at(path: str | Path) -> Path:
        """Return the checkpoint file for a path: the file itself, or that of a run folder.

        The short name of a model that comes with Glow means that model, unless there is a run or
        a file of that name.

        Raises:
            FileNotFoundError: If there is no such file.
        """
        folder = RunFolder(Path(path))
        found = folder.selected_checkpoint if folder.path.is_dir() else folder.path
        if not found.is_file():
            found = pretrained.resolve(path)
        if not found.is_file():
            raise FileNotFoundError(
                f"no checkpoint at {path}: expected the folder of a run, a file such as best.ckpt"
                f"{pretrained.advice(path)}"
            )
        return found

    @property
    def config(self) -> Path:
        """The config of the run."""
        return self.path / "config.yaml"

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

    def resumable(self) -> Path | None:
        """Return the checkpoint from which the run resumes; None if there is none.

        It is the last, or the one before it if that is damaged or missing.

        Raises:
            BrokenFileError: If there are such files, and all of them are damaged.
        """
        defects = []
        for path in (self.last, previous_of(self.last)):
            if not path.is_file():
                continue
            try:
                check_seal(path)
            except BrokenFileError as error:
                defects.append(str(error))
            else:
                return path
        if defects:
            raise BrokenFileError(f"the run cannot be resumed: {' and '.join(defects)}")
        return None

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

    def write_config(self, config: DictConfig, steps_done: int | None = None) -> None:
        """Write the config, with every interpolation resolved, to ``config.yaml``.

        Args:
            config: The config.
            steps_done: After how many steps the run is resumed, or None for a new run. Values that
                change then are listed under ``continued``, with those that were in force before.
        """
        written = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
        if steps_done is not None:
            before = self.read_config()
            changed = {name: old for name, (old, _) in self._differences(config).items()}
            written.continued = before.get("continued", [])
            if changed:
                written.continued.append({"until_step": steps_done, "values": changed})
        self._write("config.yaml", OmegaConf.to_yaml(written))

    def read_config(self) -> DictConfig:
        """Read ``config.yaml``, or what a model that comes with Glow says about its run.

        Raises:
            FileNotFoundError: If this is not a run folder.
        """
        if self.released is not None:
            known = self.released.describe()
            plan = {"images": known["images"]}
            return OmegaConf.create({"data": known["data"], "plan": plan, "logger": {}})
        if not self.config.is_file():
            raise FileNotFoundError(
                f"{self.path} is not the folder of a training run: it has no config.yaml. Give the "
                "folder of a run, or a checkpoint in its checkpoints/"
            )
        config = OmegaConf.load(self.config)
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
        return not any(
            is_within(name, (*LENGTH, "data.root")) for name in self._differences(config)
        )

    def refuse_another_run(self, config: DictConfig) -> None:
        """Raise ``ValueError`` if this folder holds a run that ``config`` cannot resume."""
        reasons = [
            f"{name} is {there} there, not {here}"
            for name, (there, here) in self._differences(config).items()
            if not is_within(name, MAY_CHANGE)
        ]
        if reasons:
            if len(reasons) > 8:
                reasons[8:] = [f"and {len(reasons) - 8} more"]
            raise ValueError(
                f"{self.path} holds another run, which cannot be resumed with this config: "
                f"{', '.join(reasons)}. Train in another run_dir, or with the values of config.yaml"
            )

    def refuse_another_plan(self, config: DictConfig) -> None:
        """Raise ``ValueError`` if the run would go on with other images, or others in a step."""
        before = self.read_config().plan
        if before.get("images") not in (None, config.plan.images):
            raise ValueError(
                f"the run in {self.path} was trained on other images or labels: resume it with the "
                "same data, or train in another run_dir"
            )
        if before.anchors_per_step not in (None, config.plan.anchors_per_step):
            raise ValueError(
                f"a step of the run in {self.path} sees the pixels of {before.anchors_per_step:g} "
                f"images of 32x32, but here it would see {config.plan.anchors_per_step:g}: with "
                "another number of processes, set data.batch_size so that a step sees as many "
                "images as before"
            )

    def _differences(self, config: DictConfig) -> dict[str, tuple[Any, Any]]:
        """Return the values that differ from those of ``config.yaml``, there and here, by name."""
        before = self.read_config()
        # The folder may have moved. The plan is computed from the rest of the config and the data.
        given = OmegaConf.create({name: before.get(name) for name in ("run_dir", "plan")})
        same = OmegaConf.merge(config, given)
        there, here = (_flat(OmegaConf.to_container(c, resolve=True)) for c in (before, same))
        return {
            name: (there.get(name), here.get(name))
            for name in sorted(here.keys() | there.keys())
            if there.get(name) != here.get(name) and name != "continued"
        }

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
        name = f"{capped(name.removesuffix('.json'))}.json"
        return self._write(name, json.dumps(content, indent=2) + "\n")

    def _write(self, name: str, content: str) -> Path:
        """Write a file as a whole: if that fails, an earlier one is still there."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / name
        unfinished = path.with_name(f"{name}.part")
        unfinished.write_text(content, errors="surrogateescape")
        unfinished.replace(path)
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
