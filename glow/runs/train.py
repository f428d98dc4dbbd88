"""A training run, from its config to the files in its folder."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.utilities import rank_zero_only

from glow import checkpoint, figures
from glow.data import ImageDataModule
from glow.models import ImageFlow
from glow.runs.building import build, checked
from glow.runs.claim import FolderInUseError, claimed_run_folder
from glow.runs.header import header
from glow.runs.launchers import join_submitted_job
from glow.runs.program import echo, print_numbers
from glow.runs.provenance import device_name, provenance
from glow.runs.requeue import requeue
from glow.runs.run_folder import RunFolder
from glow.runs.sweep import run_once
from glow.runs.threads import use_threads
from glow.runs.trainer import build_trainer
from glow.system.interruption import Stopped, signals_raised
from glow.training import Evaluation, ImageFlowModule, evaluate
from glow.training.compilation import enough_graphs
from glow.training.lightning_module import SchedulerFactory
from glow.training.loggers import CSVLogger, finish, log_picture
from glow.training.optim import anchors


def run_job(config: DictConfig) -> float | None:
    """Train in the folder that Hydra chose; in a sweep, only if the job has not finished before.

    Returns:
        The lowest validation bits/dim, for sweepers that search; None if nothing was validated, or
        the job failed.

    Raises:
        FolderInUseError: If another run works in the folder.
    """
    join_submitted_job()
    hydra = HydraConfig.get()
    sweeping = hydra.mode == RunMode.MULTIRUN
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    given = any(override.startswith("hydra.run.dir=") for override in hydra.overrides.hydra)
    named = given or "${now" not in plain["run_dir"]  # by a person, not after the time
    config.run_dir = hydra.runtime.output_dir
    if getattr(rank_zero_only, "rank", 0):  # the first process has claimed the folder
        return train(config)
    try:
        with claimed_run_folder(Path(config.run_dir), free=not (named or sweeping)) as folder:
            config.run_dir = str(folder.path)
            if sweeping:
                retry_failed = config.retry_failed
                return run_once(folder, config, lambda: train(config), retry_failed=retry_failed)
            # Lightning reads here which folder to give to the processes that it starts.
            with read_write(cast(DictConfig, hydra)):
                hydra.run.dir = config.run_dir
            return train(config)
    except Stopped as stopped:
        if named:
            requeue(stopped)
        raise
    except FolderInUseError as error:
        if not sweeping:
            raise
        echo(f"skipped: {error}")
        return None


def train(config: DictConfig) -> float | None:
    """Fit, test, and draw; resume if the folder holds a run of the same config.

    Args:
        config: The config of ``conf/train.yaml``.

    Returns:
        The lowest validation bits/dim; None if nothing was validated.

    Raises:
        ValueError: If a value of the config is wrong, or the folder holds another run.
    """
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    _check_keys(**{key: plain[key] for key in inspect.signature(_check_keys).parameters})
    seed_everything(config.seed, workers=True, verbose=False)
    use_threads(config.threads)
    folder = RunFolder(Path(config.run_dir))
    data: ImageDataModule = build(config.data, "data")
    with torch.device("meta"):
        description = checkpoint.describe(build(config.model, "model"))
    # What trains is built as it will be loaded, so a part that cannot be loaded fails here.
    model: ImageFlow = checkpoint.build(description, (*checkpoint.TRUSTED, *config.trusted))
    trainer = build_trainer(config)
    if config.images_per_step is not None:
        trainer.accumulate_grad_batches = batches_per_step(
            config.images_per_step, config.data.batch_size, trainer.world_size
        )
    steps_done = None
    resumed = folder.resumable()
    if resumed:
        folder.refuse_another_run(config)
        steps_done = checkpoint.steps_done(resumed)
    # What would fail after the data is read fails here.
    config.plan.total_steps = config.plan.anchors_per_step = 1
    _optimization(config, model)
    data.prepare_data()
    data.setup("fit")
    if trainer.is_global_zero:
        echo(data.summary_line())
    plan = data.training_plan(trainer)
    config.plan.total_steps = plan.total_steps
    config.plan.anchors_per_step = anchors(plan.images_per_step, *data.image_shape[1:])
    config.plan.images = data.checksum()
    if steps_done is not None:
        folder.refuse_another_plan(config)
    optimizer, scheduler = build(config.optimizer, "optimizer"), _scheduler(config)
    module = ImageFlowModule(model, optimizer, scheduler, compiled=config.compiled)
    # Lightning would convert the weights after a callback that averages them has copied them.
    trainer.precision_plugin.convert_module(module)
    loggers = trainer.loggers
    exit_code = 1
    try:
        if trainer.is_global_zero:
            folder.write_config(config, steps_done)
            echo(header(config, model, trainer, folder))
        for logger in loggers:
            if steps_done is not None and isinstance(logger, CSVLogger):
                logger.forget_from(steps_done)
            logger.log_hyperparams(
                cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
            )
        _fit(trainer, module, data, folder, resumed)
        cost: dict[str, Any] = {
            "steps": trainer.global_step,
            "seconds": _seconds_of_training(trainer),
        }
        # Test what the file gives to others: Lightning would load the raw weights of a checkpoint
        # that also holds averages.
        evaluation = evaluate(folder.selected_checkpoint, data, trainer, trusted=config.trusted)
        selected = checkpoint.load(folder.selected_checkpoint, trusted=config.trusted)
        if trainer.is_global_zero:
            cost["device"] = device_name(trainer.strategy.root_device)
            cost["best_validation"] = _lowest_validation(trainer)
            _write_summary(config, folder, selected, evaluation, cost)
            for path in _draw_figures(selected, data, folder):
                log_picture(loggers, path.stem, path, trainer.global_step)
            title = f"{config.name}, test images, {evaluation.unit}"
            print_numbers(title, evaluation.selected)
            echo(f"results in {folder.path}: figures/, summary.json, metrics.csv, checkpoints/")
        exit_code = 0
    finally:
        finish(loggers, exit_code)
    return _lowest_validation(trainer)


@checked
def _check_keys(
    *,
    name: str,
    seed: int,
    paper: float | None,
    images_per_step: int | None,
    compiled: bool,
    deterministic: bool,
    threads: int | None,
    retry_failed: bool,
    trusted: Sequence[str],
) -> None:
    """Do nothing: ``checked`` compares the keys that no constructor takes with these types."""


def _scheduler(config: DictConfig) -> SchedulerFactory | None:
    return build(config.scheduler, "scheduler") if config.scheduler else None


def _optimization(config: DictConfig, model: ImageFlow) -> None:
    """Build the optimizer and the schedule once, so that wrong arguments raise."""
    optimizer = build(config.optimizer, "optimizer")(model.parameters())
    scheduler = _scheduler(config)
    if scheduler is not None:
        scheduler(optimizer)


def batches_per_step(images_per_step: int, batch_size: int, n_processes: int) -> int:
    """Return over how many batches to accumulate gradients.

    Args:
        images_per_step: How many images a step should see, in all processes together.
        batch_size: The number of images in a batch.
        n_processes: The number of processes, each of which has its own batches.

    Raises:
        ValueError: If batches do not add up to ``images_per_step``.

    >>> batches_per_step(512, batch_size=64, n_processes=2)
    4
    """
    share = batch_size * n_processes
    if images_per_step < 1 or images_per_step % share:
        raise ValueError(
            f"images_per_step={images_per_step} must be a multiple of data.batch_size={batch_size} "
            f"in {n_processes} processes; choose another data.batch_size"
        )
    return images_per_step // share


def _fit(
    trainer: Trainer,
    module: ImageFlowModule,
    data: ImageDataModule,
    folder: RunFolder,
    resumed: Path | None,
) -> None:
    if resumed and trainer.is_global_zero:
        reason = "" if resumed == folder.last else f", because {folder.last} is damaged or missing"
        echo(f"resuming from {resumed}{reason}")
    try:
        with enough_graphs(module.model), signals_raised():
            trainer.fit(module, datamodule=data, ckpt_path=resumed)
    except Stopped as stopped:
        if folder.last.is_file():
            where = (
                f"after step {trainer.global_step}" if stopped.saved else "at its last checkpoint"
            )
            stopped.message = (
                f"stopped by {stopped.name}; the same command with run_dir={folder.path} resumes "
                f"{where}"
            )
        raise


def _lowest_validation(trainer: Trainer) -> float | None:
    """Return the bits/dim of the best checkpoint; None if nothing was validated."""
    best: Any = getattr(trainer.checkpoint_callback, "best_model_score", None)
    return None if best is None else float(best)


def _seconds_of_training(trainer: Trainer) -> float | None:
    """Return the time of training, including the runs that this one resumed.

    None without a ``Timer`` among the callbacks.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    timers = (callback for callback in callbacks if isinstance(callback, Timer))
    return next((round(timer.time_elapsed("train"), 1) for timer in timers), None)


def _write_summary(
    config: DictConfig,
    folder: RunFolder,
    model: ImageFlow,
    evaluation: Evaluation,
    cost: dict[str, Any],
) -> None:
    averaged = "averaged" in evaluation.numbers
    folder.write_json(
        "summary.json",
        {
            "name": config.name,
            "dequantization": evaluation.result["dequantization"],
            "bound": evaluation.result["bound"],
            "test": evaluation.selected,
            **({"test_of_raw_weights": evaluation.numbers["raw"]} if averaged else {}),
            "n_bits": config.data.n_bits,
            "parameters": sum(p.numel() for p in model.parameters()),
            **cost,
            "seed": config.seed,
            "overrides": list(HydraConfig.get().overrides.task)
            if HydraConfig.initialized()
            else [],
            **provenance(),
        },
    )


def _draw_figures(model: ImageFlow, data: ImageDataModule, folder: RunFolder) -> list[Path]:
    dataset = data.dataset("test")
    few = dataset.indices_across_classes(4)
    pairs = dataset.__getitems__(few[0:-1:2] or few), dataset.__getitems__(few[1::2] or few)
    (start, start_labels), (end, end_labels) = pairs
    frozen = model.frozen()
    drawn = {
        "samples": figures.sample_grid(frozen),
        "temperature_sweep": figures.temperature_sweep(frozen),
        "interpolation": figures.interpolation(frozen, start, end, start_labels, end_labels),
    }
    if folder.metrics.is_file():
        drawn["training_curve"] = figures.training_curve(folder.metrics)
    return [figures.save(figure, folder.figures / f"{name}.png") for name, figure in drawn.items()]
