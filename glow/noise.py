"""The noise of dequantization, where it must come out the same again."""

import zlib

import numpy as np
import torch
from torch import Tensor


def noise_like(images: Tensor, *key: int) -> Tensor:
    """Return noise of the images' shape, uniform in [0, 1), that depends on the key alone.

    With the batch's number in the key, a resumed run meets the noise that it would have met without
    the break.
    """
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    generator = torch.Generator(images.device).manual_seed(seed)
    return torch.rand(images.shape, device=images.device, generator=generator)


def noise_of(images: Tensor, sample: int = 0) -> Tensor:
    """Return noise of the images' shape, uniform in [0, 1), of which each image determines its own.

    So an evaluation gives the same value whenever, and in whatever batches and processes it runs.
    The samples of an image are independent.
    """
    # Into one number of 32 bits, as a generator on the CPU takes no more of its seed.
    told = sample.to_bytes(8, "little") if sample else b""
    seeds = [zlib.crc32(image.numpy().tobytes() + told) for image in images.cpu()]
    shares = [
        torch.rand(images.shape[1:], generator=torch.Generator().manual_seed(s)) for s in seeds
    ]
    return torch.stack(shares).to(images.device)
