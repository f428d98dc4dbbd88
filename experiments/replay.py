"""Find where numbers stop being finite: python experiments/replay.py batch=<file of a run>."""

from collections.abc import Sequence

from omegaconf import DictConfig
from rich.table import Table

from glow.runs.program import echo, entry_point


@entry_point("replay")
def main(config: DictConfig) -> None:
    """Run the batches of a step again whose gradient was not finite, and print what is not."""
    import torch

    from glow import checkpoint
    from glow.analysis.finiteness import first_non_finite, layer_outputs
    from glow.likelihood import bits_per_dim, standard_normal_log_prob

    model = checkpoint.load(config.batch, map_location=config.device, trusted=list(config.trusted))
    content = torch.load(config.batch, map_location=config.device, weights_only=True)
    if "batches" not in content:
        raise ValueError(
            f"{config.batch} holds a model, but no batches: expected a file in non_finite/ of a "
            "run folder, which training writes when a gradient is not finite"
        )
    lowered = content["precision"].startswith("bf16")
    for number, batch in enumerate(content["batches"], start=1):
        images, labels, noise = batch["images"], batch["labels"], batch["noise"]
        with torch.autocast(config.device, torch.bfloat16, enabled=lowered):
            outputs = layer_outputs(model, images, labels, noise=noise)
            latents, log_det = model(images, labels, noise=noise)
        bits = bits_per_dim(standard_normal_log_prob(latents) + log_det, model.image_shape)
        model.zero_grad()
        bits.mean().backward()
        lost = (~bits.isfinite()).nonzero().flatten().tolist()
        gradients = [
            name
            for name, p in model.named_parameters()
            if p.grad is not None and not p.grad.isfinite().all()
        ]
        echo(f"step {content['step']}, batch {number} of {len(content['batches'])}")
        echo(f"images without finite bits/dim: {_listed(lost)} of {len(bits)}")
        echo(f"first output that is not finite: {first_non_finite(outputs) or 'none'}")
        echo(f"gradients that are not finite: {_listed(gradients)}")
        table = Table("layer", "largest output", title="the largest finite outputs")
        finite = [output for output in outputs if output.largest == output.largest]
        for output in sorted(finite, key=lambda output: -output.largest)[: config.n_layers]:
            table.add_row(output.name, f"{output.largest:.3g}")
        echo(table)


def _listed(found: Sequence[object], longest: int = 10) -> str:
    more = f" and {len(found) - longest} more" if len(found) > longest else ""
    return f"{', '.join(map(str, found[:longest])) or 'none'}{more}"


if __name__ == "__main__":
    main()
