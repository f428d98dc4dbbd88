"""Measure bits/dim: python experiments/evaluate.py checkpoint=runs/digits/<run>."""

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Trainer

import glow
from glow.data import ImageDataModule
from glow.entry_point import console, entry_point, print_numbers
from glow.lightning_module import GlowModule
from glow.provenance import device_name, provenance
from glow.run_folder import RunFolder


@entry_point("evaluate")
def main(config: DictConfig) -> None:
    """Evaluate a checkpoint on a split; print the result and write it to the run folder."""
    checkpoint = RunFolder.checkpoint_at(config.checkpoint)
    model = glow.load(checkpoint, trusted=config.trusted)
    data: ImageDataModule = instantiate(RunFolder.of(checkpoint).data_config(config.get("data")))
    trainer: Trainer = instantiate(config.trainer)
    if trainer.world_size > 1:
        raise ValueError("evaluate runs in one process; leave trainer.devices at 1")
    data.prepare_data()
    data.setup()
    loader = data.evaluation_dataloader(config.split)
    [result] = trainer.test(GlowModule(model), dataloaders=loader, verbose=False)
    numbers = {key.removeprefix("test/"): value for key, value in result.items()}
    print_numbers(f"{checkpoint}, {config.split} images", numbers)
    written = RunFolder.of(checkpoint).write_json(
        f"evaluation_{checkpoint.stem}_{type(data).__name__.lower()}_{config.split}.json",
        {
            "checkpoint": checkpoint.name,
            "split": config.split,
            **numbers,
            "device": device_name(trainer.strategy.root_device),
            **provenance(),
        },
    )
    console.print(f"written to {written}")


if __name__ == "__main__":
    main()
