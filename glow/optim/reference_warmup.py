"""The learning rate of the reference implementation."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from glow.optim.anchors import EPOCH


class ReferenceWarmup(LambdaLR):
    """Linear warm-up, then constant: ``lr * min(1, seen / (n_epochs * 50,000))``.

    ``seen`` counts the images of all steps before, each for as many anchors as it is worth (see
    ``anchors``), and is 0 for the first. It takes 977 steps of 512 images of CIFAR-10, or of 128
    with 64x64 pixels. ``train.py`` of the reference, ``epochs_warmup`` being 10.

    Raises ``ValueError`` for ``n_epochs`` of 0 or less.
    """

    def __init__(self, optimizer: Optimizer, anchors_per_step: float, n_epochs: float = 10) -> None:
        if n_epochs <= 0:
            raise ValueError(f"n_epochs of warm-up must be above 0, got {n_epochs}")
        rise = anchors_per_step / (n_epochs * EPOCH)
        super().__init__(optimizer, lambda step: min(1.0, step * rise))
