"""Noise of dequantization that can be drawn again, per step of training or per image."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def noise_per_step(images: Tensor, *key: int) -> Tensor:
    """Draw noise that depends on a key alone.

    With the number of the batch in the key, a resumed run draws the noise that it would have drawn
    without the interruption.

    Args:
        images: Images (B,C,H,W); only their shape and device matter.
        key: Non-negative integers, such as the seed, the rank and the number of the batch.

    Returns:
        Noise (B,C,H,W), uniform in [0, 1).
    """
    generator = torch.Generator(images.device).manual_seed(_seed(key))
    return torch.rand(images.shape, device=images.device, generator=generator)


@contextmanager
def dropout_per_step(device: torch.device, *key: int) -> Iterator[None]:
    """Let the dropout of networks depend on a key alone, as ``noise_per_step`` does.

    Args:
        device: Where the networks are.
        key: Non-negative integers, such as the seed, the rank and the number of the batch.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_seed((*key, 1)))
        yield


def _seed(key: tuple[int, ...]) -> int:
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])


def noise_per_image(images: Tensor, sample: int = 0) -> Tensor:
    """Draw noise that each image determines for itself, for evaluation.

    The value of an evaluation then depends neither on when it runs nor on how the images are split
    into batches and processes.

    Args:
        images: uint8 images (B,C,H,W).
        sample: The number of the draw; the draws for one image are independent.

    Returns:
        Noise (B,C,H,W), uniform in [0, 1).
    """
    # A generator on the CPU takes 32 bits of its seed.
    suffix = sample.to_bytes(8, "little") if sample else b""
    seeds = [zlib.crc32(image.numpy().tobytes() + suffix) for image in images.cpu()]
    draws = [
        torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(s)) for s in seeds
    ]
    return torch.stack(draws).to(images.device)
