"""The learning rate of the reference implementation."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from glow.training.optim.anchors import EPOCH


class ReferenceWarmup(LambdaLR):
    """Linear warm-up, then a constant rate: ``lr * min(1, seen / (n_epochs * 50,000))``.

    ``seen`` counts the images of all steps before this one in anchors (see ``anchors``); it is 0 at
    the first step. The warm-up takes 977 steps of 512 images of CIFAR-10, or of 128 images with
    64x64 pixels. ``train.py`` of the reference, with ``epochs_warmup`` being 10.

    Args:
        optimizer: The optimizer.
        anchors_per_step: How many images of 32x32 pixels a step sees.
        n_epochs: The length of the warm-up, in epochs of 50,000 anchors.

    Raises:
        ValueError: If ``n_epochs`` is 0 or less.
    """

    def __init__(self, optimizer: Optimizer, anchors_per_step: float, n_epochs: float = 10) -> None:
        if n_epochs <= 0:
            raise ValueError(f"n_epochs of warm-up must be above 0, got {n_epochs}")
        rise = anchors_per_step / (n_epochs * EPOCH)
        super().__init__(optimizer, lambda step: min(1.0, step * rise))
