"""NICE, the first of the family: additive couplings of all pixels."""

import math
from collections.abc import Sequence
from functools import partial

import torch

from glow.bijections import (
    ActNorm,
    AdditiveCoupling,
    Bijection,
    Chain,
    Flattened,
    LogisticToNormal,
    Permutation,
    ReversePermutation,
)
from glow.dequantizers import UniformDequantizer
from glow.models.glow import BijectionFactory, DequantizerFactory
from glow.models.image_flow import ImageFlow
from glow.models.multi_scale_flow import MultiScaleFlow
from glow.models.top_prior import StandardPrior
from glow.nets import MLP

NICE_COUPLING: BijectionFactory = partial(AdditiveCoupling, net=partial(MLP, width=1000, depth=5))


class NICE(ImageFlow):
    """Additive couplings of the flattened image, then one scale for each entry.

    ::

        x -> [coupling -> permutation] x (K-1) -> coupling -> scaling -> latents

    The first coupling parts the entries into even and odd ones. Only the scaling changes volume. It
    is an ``ActNorm`` of vectors, so each entry has a scale, and also a shift; they start from data,
    where those of the paper start at 1: see ``initialize``. Everything is one level, whose latents
    have the shape of the image, in another order. Dinh et al. 2014.

    The base of the paper is logistic. Here it is a last map from the logistic to the normal
    distribution, see ``LogisticToNormal``, so that every latent is N(0, 1), as in any other model.

    Args:
        image_shape: The shape (C,H,W) of an image; the number of its entries must be even.
        n_bits: How many bits of a pixel the model sees, from 1 to 8.
        n_steps: The number of couplings, K.
        permutation: Builds the permutation between two couplings; reversal exchanges the halves.
        coupling: Builds a coupling of vectors.
        logistic: Whether the base is logistic; otherwise it is normal.
        dequantizer: Builds the dequantizer, from ``n_bits``.

    Raises:
        ValueError: If the number of entries is odd, or a number is out of range.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_bits: int = 8,
        n_steps: int = 4,
        permutation: BijectionFactory = ReversePermutation,
        coupling: BijectionFactory = NICE_COUPLING,
        logistic: bool = True,  # noqa: FBT001, FBT002
        dequantizer: DequantizerFactory = UniformDequantizer,
    ) -> None:
        size = math.prod(image_shape)
        if len(image_shape) != 3 or min(image_shape) < 1 or size % 2:
            raise ValueError(
                "image_shape must be (channels, height, width), each at least 1 and one of them "
                f"even, so that NICE can halve an image, got {image_shape}"
            )
        if n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, got {n_steps}")
        parts: list[Bijection] = [Permutation(torch.arange(size).view(-1, 2).T.flatten())]
        for step in range(n_steps):
            parts += [permutation(size)] if step else []
            parts.append(coupling(size))
        mixing = Flattened(Chain(*parts, ActNorm(size)))
        level: Bijection = Chain(mixing, LogisticToNormal()) if logistic else mixing
        super().__init__(
            image_shape,
            dequantizer(n_bits),
            MultiScaleFlow([level], [], StandardPrior(image_shape[0]), [tuple(image_shape)]),
            config={
                "image_shape": list(image_shape),
                "n_bits": n_bits,
                "n_steps": n_steps,
                "permutation": permutation,
                "coupling": coupling,
                "logistic": logistic,
                "dequantizer": dequantizer,
            },
        )
