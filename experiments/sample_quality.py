"""Measure FID, precision and recall: python experiments/sample_quality.py checkpoint=..."""

from omegaconf import DictConfig, ListConfig

from glow import in_batches
from glow.data import drawn_indices
from glow.entry_point import entry_point, print_numbers, tell
from glow.provenance import device_name, provenance
from glow.sample_quality import sample_quality
from glow.trained_run import TrainedRun, listed


@entry_point("sample_quality")
def main(config: DictConfig) -> None:
    """Compare samples of a checkpoint with real images; print the numbers and write them."""
    run = TrainedRun.of(config)
    model, n = run.model, config.n_images
    several = isinstance(config.temperature, ListConfig)
    temperature = listed(config.temperature) if several else config.temperature
    images = run.opened_data().dataset(config.split).images
    real = model.dequantize.kept(images[drawn_indices(len(images), n, config.seed)])
    labels = in_batches.classes_in_turn(model, n)
    generated = in_batches.sample(model, n, temperature, labels, config.seed, config.batch_size)
    quality = sample_quality(generated, real, config.features, config.device)
    print_numbers(
        f"{run.checkpoint}, {n} samples, {len(real)} {config.split} images",
        {name: quality[name] for name in ("fid", "precision", "recall")},
    )
    quality["protocol"] |= {
        "checkpoint": run.checkpoint.name,
        "split": config.split,
        "temperature": temperature,
        "seed": config.seed,  # of the samples, and of which real images are taken
        "n_bits_of_both": model.dequantize.n_bits,
        "device": device_name(model.device),
        **provenance(),
    }
    told = f"T{temperature}_n{n}_seed{config.seed}_{config.features or 'default'}"
    name = f"sample_quality_{told}_{config.split}.json".replace(" ", "")
    tell(f"written {run.folder.write_json(name, quality)}, with the protocol")


if __name__ == "__main__":
    main()
