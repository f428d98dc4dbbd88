"""Compress images: python experiments/compress.py checkpoint=... images=test output=test.glow."""

import time
from pathlib import Path

from omegaconf import DictConfig

from glow.runs.program import echo, entry_point, print_numbers


@entry_point("compress")
def main(config: DictConfig) -> None:
    """Store images in about as many bits as the model says, without loss."""
    from glow import compression
    from glow.runs.building import checked
    from glow.runs.images_to_compress import image_batches
    from glow.runs.threads import use_threads
    from glow.runs.trained_run import TrainedRun, as_list

    use_threads(config.threads)
    run = TrainedRun(config.checkpoint, trusted=config.trusted, data=config.get("data"))
    names = [str(name) for name in as_list(config.images)]
    images = checked(image_batches)(run, names, config.n_images, quantized=config.quantized)
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.part")
    start = time.perf_counter()
    try:
        with unfinished.open("wb") as file:
            summary = compression.write(
                run.model,
                images,
                file,
                checkpoint=str(config.checkpoint),
                chunk_size=config.chunk_size,
            )
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    seconds = time.perf_counter() - start
    speed = {"images/s, each decoded again": summary.n_images / seconds}
    print_numbers(f"{output}", {**summary.numbers(), **speed})
    echo(f"written: {output}")


if __name__ == "__main__":
    main()
