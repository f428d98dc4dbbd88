"""Measure bits/dim: python experiments/evaluate.py checkpoint=runs/digits/<run>."""

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Trainer

from glow.data import ImageDataModule
from glow.entry_point import entry_point, print_numbers, tell
from glow.evaluation import evaluate
from glow.run_folder import RunFolder


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Evaluate a checkpoint on a split; print the result and write it to the run folder."""
    checkpoint = RunFolder.checkpoint_at(config.checkpoint)
    folder = RunFolder.of(checkpoint)
    data: ImageDataModule = instantiate(folder.data_config(config.get("data")))
    trainer: Trainer = instantiate(config.trainer)
    evaluation = evaluate(
        checkpoint,
        data,
        trainer,
        split=config.split,
        noise_samples=config.noise_samples,
        allow_non_finite=config.allow_non_finite,
        trusted=config.trusted,
    )
    if not trainer.is_global_zero:
        return
    for weights, numbers in evaluation.numbers.items():
        print_numbers(f"{checkpoint}, {weights} weights, {config.split} images", numbers)
    name = f"evaluation_{checkpoint.stem}_{type(data).__name__.lower()}_{config.split}"
    written = folder.write_json(f"{name}.json", evaluation.result)
    evaluation.write_per_image(written.with_suffix(".csv"))
    tell(f"written to {written}, and of every image beside it, as csv")


if __name__ == "__main__":
    main()
