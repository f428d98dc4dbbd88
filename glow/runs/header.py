"""What a run says of itself before it starts."""

from omegaconf import DictConfig
from pytorch_lightning import Trainer

from glow.models import ImageFlow
from glow.runs.provenance import device_name
from glow.runs.run_folder import RunFolder
from glow.training.memory import activation_bytes

COPIES = 4  # of the weights: themselves, gradients, and two moments of the optimizer


def header(config: DictConfig, model: ImageFlow, trainer: Trainer, folder: RunFolder) -> str:
    """Return a few lines: model, memory, device, steps, and where the run writes.

    Args:
        config: The config of ``conf/train.yaml``, with its plan.
        model: The model.
        trainer: The trainer.
        folder: The folder of the run.
    """
    parameters = sum(p.numel() for p in model.parameters())
    shapes = ", ".join("x".join(map(str, shape)) for shape in model.latent_shapes)
    held = COPIES * sum(p.nbytes for p in model.parameters())
    activations = activation_bytes(model, config.data.batch_size)
    memory = f"about {_size(held)} for weights, gradients and optimizer"
    if activations is not None:
        memory += f", and {_size(activations)} for the activations of a batch in float32"
    batches = trainer.accumulate_grad_batches
    per_step = config.data.batch_size * batches * trainer.world_size
    total = config.plan.total_steps
    steps = "steps without end" if total == float("inf") else f"{total:,.0f} steps"
    lines = {
        "model": f"{type(model).__name__}, {parameters:,} parameters, latents {shapes}",
        "memory": memory,
        "on": f"{trainer.world_size} x {device_name(trainer.strategy.root_device)}, "
        f"precision {trainer.precision}",
        "steps": f"{steps} of {per_step} images",
        "folder": f"{folder.path}; the same command with run_dir={folder.path} resumes the run",
    }
    return "\n".join(f"{name:>7}: {text}" for name, text in lines.items())


def _size(n_bytes: float) -> str:
    """Return a number of bytes to read, such as 1.2 GB.

    >>> _size(12_350_000_000)
    '12 GB'
    """
    for unit in ("kB", "MB", "GB"):
        n_bytes /= 1000
        if n_bytes < 999.5 or unit == "GB":
            break
    return f"{n_bytes:.2g} {unit}" if n_bytes < 99.5 else f"{n_bytes:,.0f} {unit}"
