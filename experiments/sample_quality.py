"""Measure FID, precision and recall: python experiments/sample_quality.py checkpoint=..."""

from omegaconf import DictConfig, ListConfig

from glow.runs.program import echo, entry_point, print_numbers


@entry_point("sample_quality")
def main(config: DictConfig) -> None:
    """Compare samples of a checkpoint with real images; print the numbers and write them."""
    from glow.analysis import batches
    from glow.analysis.sample_quality import sample_quality
    from glow.data import random_indices
    from glow.runs.building import checked
    from glow.runs.provenance import device_name, provenance
    from glow.runs.trained_run import TrainedRun, as_list

    run = TrainedRun.from_config(config)
    model, n = run.model.frozen(), config.n_images
    several = isinstance(config.temperature, ListConfig)
    temperature = as_list(config.temperature) if several else config.temperature
    images = run.opened_data().dataset(config.split).images
    chosen = checked(random_indices)(len(images), n, config.seed)
    real = model.dequantizer.quantize(images[chosen])
    labels = batches.classes_in_turn(model, n)
    generated = checked(batches.sample)(
        model, n, temperature, labels, config.seed, config.batch_size
    )
    quality = checked(sample_quality)(generated, real, config.features, config.device)
    print_numbers(
        f"{run.checkpoint}, {n} samples, {len(real)} {config.split} images",
        {name: quality[name] for name in ("fid", "precision", "recall")},
    )
    quality["protocol"] |= {
        "checkpoint": run.checkpoint.name,
        "split": config.split,
        "temperature": temperature,
        "seed": config.seed,  # of the samples, and of the choice of real images
        "n_bits_of_both": model.dequantizer.n_bits,
        "device": device_name(model.device),
        **provenance(),
    }
    settings = f"T{temperature}_n{n}_seed{config.seed}_{config.features or 'default'}"
    name = f"sample_quality_{settings}_{config.split}.json".replace(" ", "")
    echo(f"written: {run.folder.write_json(name, quality)}, with the protocol")


if __name__ == "__main__":
    main()
