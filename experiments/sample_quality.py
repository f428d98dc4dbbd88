"""Measure FID, precision and recall: python experiments/sample_quality.py checkpoint=..."""

from omegaconf import DictConfig

from glow import figures, in_batches
from glow.entry_point import entry_point, print_numbers, tell
from glow.provenance import device_name, provenance
from glow.sample_quality import sample_quality
from glow.trained_run import TrainedRun


@entry_point("sample_quality")
def main(config: DictConfig) -> None:
    """Compare samples of a checkpoint with real images; print the numbers and write them."""
    run = TrainedRun(config.checkpoint, config.device, config.trusted)
    model, n = run.model, config.n_images
    real = run.opened_data(config.get("data")).dataset(config.split).images[:n]
    labels = figures.one_label_per_column(model, n)
    generated = in_batches.sample(
        model, n, config.temperature, labels, config.seed, config.batch_size
    )
    quality = sample_quality(generated, real, config.features, config.device)
    print_numbers(
        f"{run.checkpoint}, {n} samples, {len(real)} {config.split} images",
        {name: quality[name] for name in ("fid", "precision", "recall")},
    )
    quality["protocol"] |= {
        "checkpoint": run.checkpoint.name,
        "split": config.split,
        "temperature": config.temperature,
        "seed": config.seed,
        "n_bits": model.dequantize.n_bits,
        "device": device_name(model.device),
        **provenance(),
    }
    name = f"sample_quality_T{config.temperature}_n{n}_{config.split}.json"
    tell(f"written {run.folder.write_json(name, quality)}, with the protocol")


if __name__ == "__main__":
    main()
