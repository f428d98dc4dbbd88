"""How much memory training needs."""

import torch
from torch import Tensor

from glow.likelihood import standard_normal_log_prob
from glow.models import ImageFlow

LARGEST = 64 * 64  # pixels of the images on which the estimate takes a second, not a minute


def activation_bytes(model: ImageFlow, batch_size: int) -> int | None:
    """Estimate how much a model keeps of a batch for the backward pass.

    It is found from what one and two images keep. A chain that recomputes or reverses its steps
    needs the activations of one step in addition.

    Args:
        model: The model.
        batch_size: The number of images.

    Returns:
        Bytes, or None for images that are too large to try.
    """
    if model.image_shape[1] * model.image_shape[2] > LARGEST:
        return None
    one, two = (_kept(model, n) for n in (1, 2))
    return one + (batch_size - 1) * (two - one)


def _kept(model: ImageFlow, n_images: int) -> int:
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    images = torch.zeros(n_images, *model.image_shape, dtype=torch.uint8, device=model.device)
    labels = torch.zeros(n_images, dtype=torch.long, device=model.device)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        latents, log_det = model(images, labels, noise=torch.zeros_like(images, dtype=model.dtype))
        (standard_normal_log_prob(latents) + log_det).mean()
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    return sum(t.untyped_storage().nbytes() for place, t in kept.items() if place not in own)
