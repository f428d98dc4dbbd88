"""A run that trains a density over vectors, from its config to the files in its folder."""

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict
from pydantic import NonNegativeInt, PositiveInt
from rich.progress import track

from glow import checkpoint, figures
from glow.analysis.divergence import held_out_nats, reverse_kl
from glow.models import Density, LayeredDensity
from glow.runs.building import build, checked
from glow.runs.claim import FolderInUseError, claimed_run_folder
from glow.runs.program import echo, print_numbers
from glow.runs.provenance import device_name, provenance
from glow.runs.run_folder import RunFolder
from glow.runs.sweep import run_once
from glow.runs.threads import use_threads
from glow.targets import Copies, Distribution, Target
from glow.training.objective import Objective, ReverseKL
from glow.training.vectors import fit

N_INITIALIZATION = 2000  # vectors from which the ActNorms start


def run_density_job(config: DictConfig) -> float | None:
    """Train on a target, in the folder that Hydra chose; in a sweep, only what is not finished.

    Args:
        config: The config of ``conf/density2d.yaml``.

    Returns:
        The held-out nats, for sweepers that search; None if there are none.

    Raises:
        ValueError: If a value of the config is wrong, or the folder holds a run.
    """
    return _in_folder(config, _train_on_target)


def run_distillation_job(config: DictConfig) -> float | None:
    """Train a student on a trained density, in the folder that Hydra chose.

    Args:
        config: The config of ``conf/distill.yaml``.

    Returns:
        The held-out nats; None if there are none.

    Raises:
        ValueError: If a value of the config is wrong, or the folder holds a run.
    """
    teacher = RunFolder.containing(RunFolder.checkpoint_at(config.teacher)).read_config()
    with open_dict(config):
        config.features, config.target = teacher.features, teacher.target
    return _in_folder(config, _distill)


def target_of(config: DictConfig) -> Target:
    """Build the target of a run.

    Args:
        config: The config of the run, with ``target`` and ``features``.

    Raises:
        ValueError: If the target cannot have as many features.
    """
    target: Target = build(config.target, "target")
    if config.features == target.features:
        return target
    copies, rest = divmod(config.features, target.features)
    if rest or copies < 1 or not isinstance(target, Distribution):
        raise ValueError(
            f"features must be {target.features}"
            + (", or a multiple of it" if isinstance(target, Distribution) else "")
            + f", got {config.features}"
        )
    return Copies(target, copies)


def _in_folder(
    config: DictConfig, train: Callable[[DictConfig, RunFolder], float | None]
) -> float | None:
    hydra = HydraConfig.get()
    sweeping = hydra.mode == RunMode.MULTIRUN
    config.run_dir = hydra.runtime.output_dir
    try:
        with claimed_run_folder(Path(config.run_dir), free=False) as folder:
            if sweeping:
                again = config.retry_failed
                return run_once(folder, config, lambda: train(config, folder), retry_failed=again)
            if folder.config.is_file():
                raise ValueError(f"{folder.path} already holds a run: choose another run_dir")
            return train(config, folder)
    except FolderInUseError as error:
        if not sweeping:
            raise
        echo(f"skipped: {error}")
        return None


def _train_on_target(config: DictConfig, folder: RunFolder) -> float | None:
    _prepare(config)
    target = target_of(config)
    density: LayeredDensity = build(config.flow, "flow")
    objective: Objective = build(config.objective, "objective")(target)
    generator = torch.Generator().manual_seed(config.seed)
    if isinstance(target, Distribution) and not isinstance(objective, ReverseKL):
        density.flow.initialize(target.sample(N_INITIALIZATION, generator))
    summary = _train(config, folder, density, objective, generator)
    summary |= _measure(density, target, config)
    return _finish(config, folder, density, target, summary)


def _distill(config: DictConfig, folder: RunFolder) -> float | None:
    _prepare(config)
    target = target_of(config)
    teacher = checkpoint.load_density(RunFolder.checkpoint_at(config.teacher))
    teacher.requires_grad_(False)
    student: LayeredDensity = build(config.flow, "flow")
    generator = torch.Generator().manual_seed(config.seed)
    student.flow.initialize(teacher.sample(N_INITIALIZATION, generator=generator))
    summary = _train(config, folder, student, ReverseKL(teacher), generator)
    summary |= _measure(student, target, config)
    x, log_q = student.rsample_and_log_prob(config.n_evaluated, generator=generator)
    summary["kl_to_teacher"] = (log_q - teacher.log_prob(x)).mean().item()
    summary["teacher"] = {"run": str(config.teacher), **_measure(teacher, target, config)}
    for name in ("seconds_to_evaluate", "seconds_to_sample"):
        echo(
            f"{name.replace('_', ' ')} {config.n_evaluated} vectors: "
            f"{summary['teacher'][name]:.3f} (teacher), {summary[name]:.3f} (student)"
        )
    return _finish(config, folder, student, target, summary)


@checked
def _check_keys(
    *,
    name: str,
    seed: int,
    features: PositiveInt,
    steps: PositiveInt,
    batch_size: PositiveInt,
    n_evaluated: PositiveInt,
    animation_frames: NonNegativeInt,
    retry_failed: bool,
) -> None:
    """Do nothing: ``checked`` compares the keys that no constructor takes with these types."""


def _prepare(config: DictConfig) -> None:
    keys = ("name", "seed", "features", "steps", "batch_size", "n_evaluated", "animation_frames")
    _check_keys(**{key: config[key] for key in (*keys, "retry_failed")})
    use_threads(config.threads)
    torch.manual_seed(config.seed)


def _train(
    config: DictConfig,
    folder: RunFolder,
    density: Density,
    objective: Objective,
    generator: torch.Generator,
) -> dict[str, Any]:
    """Train, and write config, checkpoint and losses; return what it took."""
    optimizer = build(config.optimizer, "optimizer")(density.parameters())
    scheduler = build(config.scheduler, "scheduler")(optimizer) if config.scheduler else None
    folder.write_config(config)
    echo(f"training in {folder.path}")
    start = time.perf_counter()
    steps = track(range(config.steps), "training", transient=True)
    losses = fit(density, objective, optimizer, scheduler, steps, config.batch_size, generator)
    seconds = time.perf_counter() - start
    density.eval()
    folder.checkpoints.mkdir(exist_ok=True)
    checkpoint.save(density, folder.last)
    with folder.metrics.open("w", newline="") as file:
        csv.writer(file).writerows([("step", "train/nats"), *enumerate(losses)])
    return {"seconds": seconds}


def _measure(density: Density, target: Target, config: DictConfig) -> dict[str, Any]:
    """Return held-out nats and the divergence, as far as the target allows, and the speed."""
    generator = torch.Generator().manual_seed(config.seed + 2**31)  # not that of training
    n = config.n_evaluated
    found: dict[str, Any] = {"parameters": sum(p.numel() for p in density.parameters())}
    if isinstance(target, Distribution):
        nats = held_out_nats(density, target, n, generator)
        found |= {"test": {"nats": nats.mean, "standard_error": nats.standard_error, "vectors": n}}
        found |= {"entropy": target.entropy}
    divergence = reverse_kl(density, target, n, generator)
    if math.isfinite(divergence.mean):
        found["reverse_kl"] = divergence._asdict()
    samples, seconds_to_sample = _timed(lambda: density.sample(n, generator=generator))
    _, seconds_to_evaluate = _timed(lambda: density.log_prob(samples))
    return {
        **found,
        "seconds_to_evaluate": seconds_to_evaluate,
        "seconds_to_sample": seconds_to_sample,
    }


@torch.no_grad()
def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def _finish(
    config: DictConfig,
    folder: RunFolder,
    density: LayeredDensity,
    target: Target,
    summary: dict[str, Any],
) -> float | None:
    """Draw the figures of a density on the plane, write the summary, and print the result."""
    choices = HydraConfig.get().runtime.choices
    chosen: dict[str, Any] = {
        name: choices[name] for name in ("flow", "target", "objective") if choices.get(name)
    }
    if config.features == 2:
        title = ", ".join(str(choice).replace("_", " ") for choice in chosen.values())
        sheet = figures.density_sheet(density, target, f"{title}: {_result(summary)}")
        figures.save(sheet, folder.figures / "sheet.png")
        if config.animation_frames:
            frames = figures.flowing_points(density, target.bound, config.animation_frames)
            figures.animate(frames, folder.figures / "flow.gif")
    folder.write_json(
        "summary.json",
        {
            "name": config.name,
            **chosen,
            "features": config.features,
            "steps": config.steps,
            **summary,
            "device": device_name(torch.device("cpu")),
            "seed": config.seed,
            "overrides": list(HydraConfig.get().overrides.task),
            **provenance(),
        },
    )
    numbers = {name: value for name, value in summary.items() if isinstance(value, int | float)}
    if "reverse_kl" in summary:
        numbers["KL(flow || target)"] = summary["reverse_kl"]["mean"]
    print_numbers(f"{config.name}, held-out vectors", {**summary.get("test", {}), **numbers})
    echo(f"results in {folder.path}: summary.json, metrics.csv, checkpoints/, figures/")
    return summary.get("test", {}).get("nats")


def _result(summary: dict[str, Any]) -> str:
    if "test" in summary:
        return f"{summary['test']['nats']:.3f} nats, entropy {summary['entropy']:.3f}"
    return f"KL(flow || target) {summary['reverse_kl']['mean']:.3f} nats"
