"""A training run, from its config to the files in its folder."""

from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.callbacks import Timer

from glow import checkpoint, figures
from glow.data import ImageDataModule
from glow.models import ImageFlow
from glow.runs.building import build, checked
from glow.runs.launchers import check_launch
from glow.runs.program import echo, print_numbers
from glow.runs.provenance import device_name, provenance
from glow.runs.run_folder import RunFolder
from glow.runs.sweep import run_once
from glow.training import Evaluation, ImageFlowModule, evaluate
from glow.training.compilation import enough_graphs
from glow.training.loggers import finish, log_picture
from glow.training.optim import anchors


def run_job(config: DictConfig) -> float | None:
    """Train in the folder that Hydra chose; in a sweep, only if the job has not finished before.

    Returns:
        The lowest validation bits/dim, for sweepers that search; None if nothing was validated, or
        the job failed.
    """
    hydra = HydraConfig.get()
    config.run_dir = hydra.runtime.output_dir
    if hydra.mode != RunMode.MULTIRUN:
        return train(config)
    folder = RunFolder(Path(config.run_dir))
    retry_failed = config.retry_failed
    return run_once(folder, config, lambda: train(config), retry_failed=retry_failed)


def train(config: DictConfig) -> float | None:
    """Fit, test, and draw; resume if the folder holds a run of the same config.

    Args:
        config: The config of ``conf/train.yaml``.

    Returns:
        The lowest validation bits/dim; None if nothing was validated.

    Raises:
        ValueError: If a value of the config is wrong, or the folder holds another run.
    """
    checked(seed_everything)(config.seed, workers=True, verbose=False)
    folder = RunFolder(Path(config.run_dir))
    data: ImageDataModule = build(config.data, "data")
    with torch.device("meta"):
        description = checkpoint.describe(build(config.model, "model"))
    # What trains is built as it will be loaded, so a part that cannot be loaded fails here.
    model: ImageFlow = checkpoint.build(description, (*checkpoint.TRUSTED, *config.trusted))
    callbacks = list(build(config.callbacks, "callbacks").values())
    loggers = list(build(config.logger, "logger").values())
    trainer: Trainer = build(config.trainer, "trainer", callbacks=callbacks, logger=loggers)
    check_launch(trainer)
    if config.images_per_step:
        trainer.accumulate_grad_batches = checked(batches_per_step)(
            config.images_per_step, config.data.batch_size, trainer.world_size
        )
    if folder.last.is_file():
        folder.refuse_another_run(config)
    # What would fail after the data is read, or after training, fails here.
    config.plan.total_steps = config.plan.anchors_per_step = 1
    _check_optimization(config, model)
    data.prepare_data()
    data.setup("fit")
    plan = data.training_plan(trainer)
    config.plan.total_steps = plan.total_steps
    config.plan.anchors_per_step = anchors(plan.images_per_step, *data.image_shape[1:])
    optimizer, scheduler = (build(config[key], key) for key in ("optimizer", "scheduler"))
    module = ImageFlowModule(model, optimizer, scheduler, compiled=config.compiled)
    exit_code = 1
    try:
        if trainer.is_global_zero:
            folder.write_config(config)
            echo(f"training in {folder.path}")
        for logger in loggers:
            logger.log_hyperparams(OmegaConf.to_container(config, resolve=True))
        _fit(trainer, module, data, folder)
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
            print_numbers(f"{config.name}, test images", evaluation.selected)
            echo(f"results in {folder.path}: figures/, summary.json, metrics.csv, checkpoints/")
        exit_code = 0
    finally:
        finish(loggers, exit_code)
    return _lowest_validation(trainer)


def _check_optimization(config: DictConfig, model: ImageFlow) -> None:
    """Build the optimizer and the schedule once, so that wrong arguments raise."""
    optimizer = build(config.optimizer, "optimizer")(model.parameters())
    build(config.scheduler, "scheduler")(optimizer)


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
    trainer: Trainer, module: ImageFlowModule, data: ImageDataModule, folder: RunFolder
) -> None:
    resumed = folder.last if folder.last.is_file() else None
    if resumed and trainer.is_global_zero:
        echo(f"resuming from {resumed}")
    try:
        with enough_graphs(module.model):
            trainer.fit(module, datamodule=data, ckpt_path=resumed)
    except SystemExit:  # how Lightning ends after Ctrl-C
        if trainer.is_global_zero and folder.last.is_file():
            echo(
                f"interrupted; the same command with run_dir={folder.path} resumes from the last "
                "checkpoint, which is at most 5 minutes or one validation old"
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
        "training_curve": figures.training_curve(folder.metrics),
        "samples": figures.sample_grid(frozen),
        "temperature_sweep": figures.temperature_sweep(frozen),
        "interpolation": figures.interpolation(frozen, start, end, start_labels, end_labels),
    }
    return [figures.save(figure, folder.figures / f"{name}.png") for name, figure in drawn.items()]
