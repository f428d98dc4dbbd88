"""Where numbers stop being finite inside a model."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glow.models import ImageFlow


@dataclass(frozen=True)
class LayerOutput:
    """What one layer returned.

    Args:
        name: The name of the layer in the model.
        finite: Whether all numbers are finite.
        largest: The largest absolute value, among those that are finite.
    """

    name: str
    finite: bool
    largest: float


@torch.no_grad()
def layer_outputs(
    model: ImageFlow, images: Tensor, labels: Tensor | None = None, *, noise: Tensor | None = None
) -> list[LayerOutput]:
    """Run a model forward and return what every layer returned, in the order in which they ended.

    Args:
        model: The model.
        images: uint8 images (B,C,H,W).
        labels: Class labels (B,), if the model has classes.
        noise: The noise of dequantization (B,C,H,W), or None to draw it.
    """
    found: list[LayerOutput] = []

    def look(name: str, output: object) -> None:
        tensors = [t for t in _tensors(output) if t.is_floating_point()]
        finite = [t[t.isfinite()].abs() for t in tensors]
        largest = max((float(t.max()) for t in finite if t.numel()), default=float("nan"))
        whole = all(f.numel() == t.numel() for f, t in zip(finite, tensors, strict=True))
        found.append(LayerOutput(name, whole, largest))

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: look(name, output))
        for name, module in model.named_modules()
        if name and not isinstance(module, nn.ModuleList)
    ]
    try:
        with torch.compiler.set_stance("force_eager"):
            model(images, labels, noise=noise)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def first_non_finite(outputs: Iterable[LayerOutput]) -> str | None:
    """Return the name of the first layer whose output was not finite; None if there is none."""
    return next((output.name for output in outputs if not output.finite), None)


def _tensors(output: object) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, list | tuple):
        return [tensor for item in output for tensor in _tensors(item)]
    return []
