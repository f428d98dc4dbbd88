"""RealNVP: affine couplings with checkerboard and channel masks, at several scales."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from glow.bijections import (
    Bijection,
    Chain,
    Checkerboard,
    Inverse,
    Logit,
    Memory,
    ReversePermutation,
    Squeeze,
    TanhCoupling,
    build_chain,
)
from glow.dequantizers import UniformDequantizer
from glow.models.glow import BijectionFactory, DequantizerFactory, FlowStep
from glow.models.image_flow import ImageFlow
from glow.models.multi_scale_flow import MultiScaleFlow, latent_shapes
from glow.models.top_prior import StandardPrior
from glow.nets import ResidualNet

REAL_NVP_COUPLING: BijectionFactory = partial(TanhCoupling, net=ResidualNet)


class RealNVP(ImageFlow):
    r"""A logit, then L levels of couplings; half of the channels leaves after each level.

    A level squeezes the image and applies K steps with checkerboard masks, then K steps with masks
    of channels; the last level applies K + 1 steps with checkerboard masks. From step to step the
    two halves change places. A step is that of Glow, ``FlowStep``, with a fixed permutation that
    chooses the mask. So a coupling with a checkerboard mask is a coupling of squeezed channels, see
    ``Checkerboard``, and ActNorm stands where the paper normalizes by batches, which would make the
    density of an image depend on its batch. The channels that leave a level are N(0, 1), without a
    learned prior.

    Dinh et al. 2017, sections 3.4 to 3.7 and 4.1, whose CIFAR-10 model is the default. A new model
    must be initialized from data before it trains: see ``initialize``.

    Args:
        image_shape: The shape (C,H,W) of an image; H and W must be divisible by 2^L.
        n_bits: How many bits of a pixel the model sees, from 1 to 8.
        n_levels: L.
        n_steps: K.
        coupling: Builds the coupling of a step.
        dequantizer: Builds the dequantizer, from ``n_bits``.
        margin: The margin of the logit, alpha in the paper.
        memory: What training keeps of the activations of a level's steps for the backward pass:
            "keep", "recompute" or "reverse"; see ``glow.bijections.memory``.

    Raises:
        ValueError: If the sizes do not fit, or a number is out of range.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_bits: int = 8,
        n_levels: int = 2,
        n_steps: int = 3,
        coupling: BijectionFactory = REAL_NVP_COUPLING,
        dequantizer: DequantizerFactory = UniformDequantizer,
        margin: float = 0.05,
        memory: Memory = "keep",
    ) -> None:
        shapes = latent_shapes(image_shape, n_levels)
        if n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, got {n_steps}")
        swaps: list[BijectionFactory] = [ReversePermutation] * (n_steps - 1)
        colors: list[BijectionFactory] = [Checkerboard, *swaps]
        in_order: list[BijectionFactory] = [_order_of_channels, *swaps]
        masks = [[*colors, *in_order]] * (n_levels - 1) + [[*colors, ReversePermutation]]
        levels: list[Bijection] = []
        for level, permutations in enumerate(masks):
            channels = 4 * image_shape[0] * 2**level
            steps = [FlowStep(channels, permutation, coupling) for permutation in permutations]
            levels.append(Chain(OrderedDict(squeeze=Squeeze(), steps=build_chain(steps, memory))))
        levels[0] = Chain(Logit(margin, low=-0.5), levels[0])
        nothing = [Chain() for _ in shapes[1:]]
        super().__init__(
            image_shape,
            dequantizer(n_bits),
            MultiScaleFlow(levels, nothing, StandardPrior(shapes[-1][0]), shapes),
            config={
                "image_shape": list(image_shape),
                "n_bits": n_bits,
                "n_levels": n_levels,
                "n_steps": n_steps,
                "coupling": coupling,
                "dequantizer": dequantizer,
                "margin": margin,
                "memory": memory,
            },
        )


def _order_of_channels(channels: int) -> Bijection:
    """Return the permutation from ``Checkerboard`` back to an order whose halves are channels."""
    return Inverse(Checkerboard(channels))
