"""Jet: couplings of patches by vision transformers."""

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from glow.bijections import (
    AffineCoupling,
    Bijection,
    Chain,
    Inverse,
    Memory,
    Positions,
    Rescaling,
    ShufflePermutation,
    Squeeze,
    build_chain,
)
from glow.bijections.positions import Pattern
from glow.bijections.scale_map import double_sigmoid
from glow.dequantizers import UniformDequantizer
from glow.models.glow import BijectionFactory, DequantizerFactory, Step
from glow.models.image_flow import ImageFlow
from glow.models.multi_scale_flow import MultiScaleFlow
from glow.models.top_prior import StandardPrior
from glow.nets import VisionTransformer

JET_COUPLING: BijectionFactory = partial(
    AffineCoupling, net=partial(VisionTransformer, grid=(16, 16)), scale_map=double_sigmoid
)
PATTERNS: tuple[Pattern, ...] = ("checkerboard", "columns", "rows")


class JetStep(Step):
    """One step: split the entries into two halves, couple them, and put them back.

    Args:
        channels: The number of channels.
        split: The bijection that moves one half of the entries into the first half of the channels.
        coupling: Builds the coupling.
    """

    def __init__(self, channels: int, split: Bijection, coupling: BijectionFactory) -> None:
        super().__init__(
            OrderedDict(split=split, coupling=coupling(channels), merge=Inverse(split))
        )


class Jet(ImageFlow):
    r"""Couplings of patches, most of which split the channels at random, and some the positions.

    A patch becomes the channels of one position. Every fifth coupling splits the positions: by a
    checkerboard, columns and rows in turn, and first the even ones, then the odd ones. There is no
    ActNorm and no squeeze between steps, nothing leaves before the end, and the latents are N(0,
    1). With a ``VisionTransformer`` that starts at 0, the flow starts as a permutation of an image
    in [-1, 1).

    Kolesnikov et al. 2024, whose smaller ImageNet 64x64 model is the default.

    Args:
        image_shape: The shape (C,H,W) of an image; H and W must be divisible by ``patch_size``.
        n_bits: How many bits of a pixel the model sees, from 1 to 8.
        n_steps: The number of couplings.
        patch_size: The side of a patch, in pixels.
        spatial_every: Every so many couplings, one splits the positions; 0 for none.
        coupling: Builds the coupling of a step.
        dequantizer: Builds the dequantizer, from ``n_bits``.
        memory: What training keeps of the activations of steps for the backward pass: "keep",
            "recompute" or "reverse"; see ``glow.bijections.memory``.

    Raises:
        ValueError: If the sizes do not fit, or a number is out of range.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_bits: int = 8,
        n_steps: int = 32,
        patch_size: int = 4,
        spatial_every: int = 5,
        coupling: BijectionFactory = JET_COUPLING,
        dequantizer: DequantizerFactory = UniformDequantizer,
        memory: Memory = "keep",
    ) -> None:
        if len(image_shape) != 3 or min(image_shape) < 1:
            raise ValueError(
                f"image_shape must be (channels, height, width), each at least 1, got {image_shape}"
            )
        channels, height, width = image_shape
        if patch_size < 1 or height % patch_size or width % patch_size:
            raise ValueError(
                f"patch_size={patch_size} must divide the height and the width of an image, "
                f"{height}x{width}"
            )
        if n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, got {n_steps}")
        patches = (height // patch_size, width // patch_size)
        if 0 < spatial_every <= n_steps and any(side % 2 for side in patches):
            raise ValueError(
                f"patch_size={patch_size} makes {patches[0]}x{patches[1]} patches, but couplings "
                "of positions need even numbers: choose another patch_size, or spatial_every=0"
            )
        if spatial_every < 0:
            raise ValueError(f"spatial_every must be at least 0, got {spatial_every}")
        shape = (channels * patch_size**2, *patches)
        patterns = itertools.cycle((p, odd) for p in PATTERNS for odd in (False, True))
        steps = []
        for number in range(1, n_steps + 1):
            split: Bijection
            if spatial_every and number % spatial_every == 0:
                pattern, odd = next(patterns)
                split = Positions(*shape[1:], pattern, odd=odd)
            else:
                split = ShufflePermutation(shape[0])
            steps.append(JetStep(shape[0], split, coupling))
        level = Chain(
            OrderedDict(
                rescaling=Rescaling(2.0),
                patches=Squeeze(patch_size),
                steps=build_chain(steps, memory),
            )
        )
        super().__init__(
            image_shape,
            dequantizer(n_bits),
            MultiScaleFlow([level], [], StandardPrior(shape[0]), [shape]),
            config={
                "image_shape": list(image_shape),
                "n_bits": n_bits,
                "n_steps": n_steps,
                "patch_size": patch_size,
                "spatial_every": spatial_every,
                "coupling": coupling,
                "dequantizer": dequantizer,
                "memory": memory,
            },
        )
