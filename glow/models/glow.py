"""Glow, the model of the paper: step, level, and the whole."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from glow.bijections import (
    ActNorm,
    ActNormLinear,
    AffineCoupling,
    Bijection,
    Chain,
    FoldedChain,
    InvertibleLinear,
    LULinear,
    Memory,
    Split,
    Squeeze,
    build_chain,
)
from glow.dequantizers import Dequantizer, UniformDequantizer
from glow.models.image_flow import ImageFlow
from glow.models.multi_scale_flow import MultiScaleFlow, latent_shapes
from glow.models.top_prior import LearnedPrior, TopPrior
from glow.nets import CouplingNet, ZeroConv2d

BijectionFactory = Callable[[int], Bijection]  # channels -> bijection
TopFactory = Callable[[int], TopPrior]  # channels -> top prior
DequantizerFactory = Callable[[int], Dequantizer]  # n_bits -> dequantizer

PAPER_COUPLING: BijectionFactory = partial(AffineCoupling, net=CouplingNet)


class Step(FoldedChain):
    """One step of flow, of which a level has several; what compiling for training compiles."""


class FlowStep(Step):
    """One step of flow: ActNorm, permutation, coupling. Paper figure 2a.

    An ActNorm before an invertible linear map is one part with it; see ``ActNormLinear``.

    Args:
        channels: The number of channels.
        permutation: A function of the number of channels that builds the permutation.
        coupling: A function of the number of channels that builds the coupling.
    """

    def __init__(
        self, channels: int, permutation: BijectionFactory, coupling: BijectionFactory
    ) -> None:
        actnorm, permuted = ActNorm(channels), permutation(channels)
        mix: Bijection = (
            ActNormLinear(actnorm, permuted)
            if isinstance(permuted, InvertibleLinear)
            else FoldedChain(OrderedDict(actnorm=actnorm, permutation=permuted))
        )
        super().__init__(OrderedDict(mix=mix, coupling=coupling(channels)))


class Level(Chain):
    """One level: squeeze, then K steps of flow; (B,C,H,W) to (B,4C,H/2,W/2). Paper figure 2b.

    Args:
        channels: The number of channels before the squeeze, C.
        n_steps: The number of steps, K.
        permutation: A function of the number of channels that builds a permutation.
        coupling: A function of the number of channels that builds a coupling.
        memory: What training keeps of the activations; see ``glow.bijections.memory``.
    """

    def __init__(
        self,
        channels: int,
        n_steps: int,
        permutation: BijectionFactory,
        coupling: BijectionFactory,
        memory: Memory = "keep",
    ) -> None:
        steps = [FlowStep(4 * channels, permutation, coupling) for _ in range(n_steps)]
        super().__init__(OrderedDict(squeeze=Squeeze(), steps=build_chain(steps, memory)))


class Glow(ImageFlow):
    r"""The model of the paper: a dequantizer, and L levels of K steps of flow.

    A new model must be initialized from data before it trains: see ``initialize``. Parts are given
    as functions of a number of channels: classes of ``glow.bijections`` and ``glow.models``, or
    ``functools.partial`` of them, such as
    ``coupling=partial(AffineCoupling, net=partial(CouplingNet, width=128))``.

    Args:
        image_shape: The shape (C,H,W) of an image; H and W must be divisible by 2^L.
        n_bits: How many bits of a pixel the model sees, from 1 to 8.
        n_levels: L.
        n_steps: K.
        permutation: Builds the permutation of a step: the 1x1 convolution, or a fixed one.
        coupling: Builds the coupling of a step.
        top: Builds the top prior.
        dequantizer: Builds the dequantizer, from ``n_bits``.
        memory: What training keeps of the activations of a level's steps for the backward pass:
            "keep", "recompute" or "reverse"; see ``glow.bijections.memory``.

    Raises:
        ValueError: If the sizes do not fit, or a number is out of range.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_bits: int = 8,
        n_levels: int = 3,
        n_steps: int = 32,
        permutation: BijectionFactory = LULinear,
        coupling: BijectionFactory = PAPER_COUPLING,
        top: TopFactory = LearnedPrior,
        dequantizer: DequantizerFactory = UniformDequantizer,
        memory: Memory = "keep",
    ) -> None:
        shapes = latent_shapes(image_shape, n_levels)
        if n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, got {n_steps}")
        # Each split keeps half of a level's 4C channels, so level l starts with 2^l C of them.
        channels = [image_shape[0] * 2**level for level in range(n_levels)]
        levels = [Level(c, n_steps, permutation, coupling, memory) for c in channels]
        splits = [Split(4 * c, ZeroConv2d) for c in channels[:-1]]
        super().__init__(
            image_shape,
            dequantizer(n_bits),
            MultiScaleFlow(levels, splits, top(4 * channels[-1]), shapes),
            config={
                "image_shape": list(image_shape),
                "n_bits": n_bits,
                "n_levels": n_levels,
                "n_steps": n_steps,
                "permutation": permutation,
                "coupling": coupling,
                "top": top,
                "dequantizer": dequantizer,
                "memory": memory,
            },
        )
