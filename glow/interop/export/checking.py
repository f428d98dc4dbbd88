"""Exported programs next to the models that they were made from."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from glow.interop.export.entry_points import Decode, EntryPoint, Examples, LogProb

BATCHES = (1, 7)  # other sizes than the one that is exported
TOLERANCE = 1e-4
MOST_OTHER_PIXELS = 1e-3  # of pixel values that rounding may move into the next bin

Program = Callable[[Examples], Sequence[Tensor]]  # from inputs by name to outputs in order


@torch.no_grad()
def check(program: Program, entry: EntryPoint) -> float:
    """Run an exported program, and compare it with its model on the model's own samples.

    Log-probabilities are compared in bits/dim; latents relative to their size where that is above
    1. Images may differ by one bin in one of 1,000 pixel values, because rounding can move
    a value across the border of its bin.

    Args:
        program: The program.
        entry: What it was exported from.

    Returns:
        The largest difference; of images, the share of pixel values that differ.

    Raises:
        FloatingPointError: If the program disagrees with the model.
    """
    largest = 0.0
    for seed, n in enumerate(BATCHES):
        examples = entry.examples(n, seed)
        pairs = zip(program(examples), entry.eager(examples), strict=True)
        differences = [_difference(entry, found, expected) for found, expected in pairs]
        largest = max(largest, *differences)
        limit = MOST_OTHER_PIXELS if isinstance(entry, Decode) else TOLERANCE
        if not largest <= limit:
            raise FloatingPointError(
                f"the exported program disagrees with the model by {largest:.2g}, more than "
                f"{limit:g}, in a batch of {n}"
            )
    return largest


def _difference(entry: EntryPoint, found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return math.inf
    difference = (found.double() - expected.double()).abs()
    if isinstance(entry, Decode):
        dequantizer = entry.model.dequantizer
        if difference.max() > 256 // dequantizer.n_bins:
            return math.inf
        return (difference > 0).double().mean().item()
    if isinstance(entry, LogProb):
        scale = torch.tensor(math.prod(entry.model.image_shape) * math.log(2))
    else:
        scale = expected.abs().clamp(min=1)
    return (difference / scale).max().item()
