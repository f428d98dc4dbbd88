"""Train a Glow, test it, draw its figures: python experiments/train.py experiment=digits."""

from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher

import glow
from glow import figures
from glow.checkpoint import TRUSTED, build, describe
from glow.data import ImageDataModule
from glow.entry_point import entry_point, print_numbers, tell
from glow.evaluation import evaluate
from glow.lightning_module import GlowModule
from glow.loggers import finish, log_picture
from glow.provenance import device_name, provenance
from glow.run_folder import RunFolder
from glow.sweep import run_once


@entry_point("train")
def main(config: DictConfig) -> float | None:
    """Train in Hydra's folder; return the validation bits/dim, for sweepers that search."""
    hydra = HydraConfig.get()
    config.run_dir = hydra.runtime.output_dir
    if hydra.mode != RunMode.MULTIRUN:
        return train(config)
    folder = RunFolder(Path(config.run_dir))
    retry_failed = config.retry_failed
    return run_once(folder, config, lambda: train(config), retry_failed=retry_failed)


def train(config: DictConfig) -> float | None:
    """Do what the config says, in the folder that it names; return the lowest val bits/dim."""
    seed_everything(config.seed, workers=True, verbose=False)
    folder = RunFolder(Path(config.run_dir))
    data: ImageDataModule = instantiate(config.data)
    module = GlowModule(
        instantiate(config.model),
        instantiate(config.optimizer),
        instantiate(config.scheduler),
        compiled=config.compiled,
    )
    callbacks = list(instantiate(config.callbacks).values())
    loggers = list(instantiate(config.logger).values())
    trainer: Trainer = instantiate(config.trainer, callbacks=callbacks, logger=loggers)
    _refuse_processes_that_would_part(trainer)
    if config.images_per_step:
        trainer.accumulate_grad_batches = _batches_per_step(config, trainer.world_size)
    if folder.last.is_file():
        folder.refuse_another_run(config)
    with torch.device("meta"):  # what could not be loaded afterwards is refused before
        build(describe(module.model), (*TRUSTED, *config.trusted))
    exit_code = 1
    try:
        if trainer.is_global_zero:
            folder.write_config(config)
            tell(f"training in {folder.path}")
        for logger in loggers:
            logger.log_hyperparams(OmegaConf.to_container(config, resolve=True))
        _fit(trainer, module, data, folder)
        cost: dict[str, Any] = {
            "steps": trainer.global_step,
            "seconds": _seconds_of_training(trainer),
        }
        # What is tested is what the file gives to others. (Had Lightning loaded it, the averaging
        # callback would have put the weights before averaging in their place.)
        evaluation = evaluate(folder.kept, data, trainer, trusted=config.trusted)
        kept = glow.load(folder.kept, trusted=config.trusted)
        if trainer.is_global_zero:
            raw, *averaged = evaluation.numbers.values()
            test = averaged[0] if averaged else raw
            weights = {"test": test} | ({"test_of_raw_weights": raw} if averaged else {})
            cost["device"] = device_name(trainer.strategy.root_device)
            cost["best_validation"] = _lowest_validation(trainer)
            _write_summary(config, folder, kept, weights, cost)
            for path in _draw_figures(kept, data, folder):
                log_picture(loggers, path.stem, path, trainer.global_step)
            print_numbers(f"{config.name}, test images", test)
            tell(f"results in {folder.path}: figures/, summary.json, metrics.csv, checkpoints/")
        exit_code = 0
    finally:
        finish(loggers, exit_code)
    return _lowest_validation(trainer)


def _fit(trainer: Trainer, module: GlowModule, data: ImageDataModule, folder: RunFolder) -> None:
    resumed = folder.last if folder.last.is_file() else None
    if resumed and trainer.is_global_zero:
        tell(f"resuming from {resumed}")
    try:
        trainer.fit(module, datamodule=data, ckpt_path=resumed)
    except SystemExit:  # how Lightning ends what Ctrl-C has interrupted
        if trainer.is_global_zero and folder.last.is_file():
            tell(
                f"interrupted; the same command with run_dir={folder.path} goes on from the last "
                "checkpoint, which is at most 5 minutes or one validation old"
            )
        raise


def _lowest_validation(trainer: Trainer) -> float | None:
    """Return the bits/dim of the best checkpoint; None where nothing was validated."""
    best: Any = getattr(trainer.checkpoint_callback, "best_model_score", None)
    return None if best is None else float(best)


def _batches_per_step(config: DictConfig, n_processes: int) -> int:
    """Return over how many batches to accumulate; raise ``ValueError`` where none will do."""
    share = config.data.batch_size * n_processes
    if config.images_per_step % share:
        raise ValueError(
            f"images_per_step={config.images_per_step} is no multiple of data.batch_size="
            f"{config.data.batch_size} in {n_processes} processes; choose another data.batch_size"
        )
    return int(config.images_per_step // share)


def _seconds_of_training(trainer: Trainer) -> float | None:
    """Return the time that training took, that of the runs which this one resumed included.

    None without a ``Timer`` among the callbacks.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    timers = (callback for callback in callbacks if isinstance(callback, Timer))
    return next((round(timer.time_elapsed("train"), 1) for timer in timers), None)


def _write_summary(
    config: DictConfig,
    folder: RunFolder,
    model: glow.Glow,
    weights: dict[str, Any],
    cost: dict[str, Any],
) -> None:
    folder.write_json(
        "summary.json",
        {
            "name": config.name,
            **weights,
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


def _draw_figures(model: glow.Glow, data: ImageDataModule, folder: RunFolder) -> list[Path]:
    data.setup("test")
    dataset = data.dataset("test")
    batch = dataset.__getitems__(dataset.of_many_classes(4))
    images, labels = (tensor.to(model.device) for tensor in batch)
    drawn = {
        "training_curve": figures.training_curve(folder.metrics),
        "samples": figures.sample_grid(model),
        "temperature_sweep": figures.temperature_sweep(model),
        "interpolation": figures.interpolation(
            model, images[0::2], images[1::2], labels[0::2], labels[1::2]
        ),
    }
    return [figures.save(figure, folder.figures / f"{name}.png") for name, figure in drawn.items()]


def _refuse_processes_that_would_part(trainer: Trainer) -> None:
    """Raise ``ValueError`` where the processes of one run would not end up in one folder."""
    launcher = trainer.strategy.launcher
    if (
        trainer.world_size == 1
        or not HydraConfig.initialized()
        or not isinstance(launcher, _SubprocessScriptLauncher)
    ):
        return
    hydra = HydraConfig.get()
    sweeping = hydra.mode == RunMode.MULTIRUN
    folder = "hydra.sweep.dir" if sweeping else "run_dir"
    if launcher.cluster_environment.creates_processes_externally:
        given = [*hydra.overrides.task, *hydra.overrides.hydra]
        if not any(o.startswith((f"{folder}=", "hydra.run.dir=")) for o in given):
            raise ValueError(
                "processes that a launcher has started must be told their folder, since each would "
                f"name it after its own time: add {folder}=runs/..."
            )
    elif sweeping:
        raise ValueError(
            "a sweep (-m) cannot start several processes per job: each of them would start the "
            "sweep anew. Use trainer.devices=1, or torchrun or a cluster's launcher, which start "
            "the processes themselves, with hydra.sweep.dir=runs/..."
        )


if __name__ == "__main__":
    main()
