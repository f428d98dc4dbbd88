"""A model as a code: images to the bits of a stack, and back."""

import functools

import numpy as np
import torch
from torch import Tensor, nn

from glow.bijections import (
    AdditiveCoupling,
    Affine,
    AffineCoupling,
    Chain,
    Flattened,
    Inverse,
    InvertibleLinear,
    OrthogonalLinear,
    Permutation,
    Split,
    Squeeze,
    TransformCoupling,
)
from glow.bijections.actnorm import ChannelAffine
from glow.bijections.coupling import deinterleave
from glow.compression.bit_stack import BitStack
from glow.compression.conditional import Adding, Gaussianizing, Rescaled
from glow.compression.grid import UncodableError, check
from glow.compression.stages import UNIT, Mixing, Reordering, Reshaping, Scaling, Stage
from glow.dequantizers import UniformDequantizer
from glow.models import ImageFlow

GRID_BITS = 14  # of the grid on which pixels, from -1/2 to 1/2, are placed
BIN = 32  # units that one bin of the normal distribution holds: 1/32 of its standard deviation
MOST_BORROWED = 32  # bits for each pixel value
N_BINS = 4096  # on each side of 0, up to 128 standard deviations


class FlowCodec:
    """The code of a model: about as many bits for an image as the model says.

    Only numbers that are on a grid go from one stage to the next, so that decoding sees what
    encoding saw. The networks run as in the model, and must give the same results in both
    directions: with the same versions, on the same kind of processor, with as many threads and
    images at a time.

    Args:
        model: The model.

    Raises:
        ValueError: If the model has a part that has no exact code.
    """

    def __init__(self, model: ImageFlow) -> None:
        if not isinstance(model.dequantizer, UniformDequantizer):
            raise ValueError(
                "compression needs uniform dequantization, and this model has a "
                f"{type(model.dequantizer).__name__}"
            )
        model = model.frozen().cpu()
        self.image_shape = model.image_shape
        self.n_bits = model.dequantizer.n_bits
        self.n_classes = model.n_classes
        self.quantize = model.dequantizer.quantize
        self.shapes = model.latent_shapes
        units = torch.full(self.image_shape, 2.0**-GRID_BITS, dtype=torch.float64)
        self.levels: list[list[Stage]] = []
        for level, last in zip(
            model.flow.levels, [*model.flow.splits, model.flow.top], strict=True
        ):
            stages, units = code(level, units)
            if last is model.flow.top:
                stages.append(Gaussianizing(model.flow.top, units))
            else:
                split, units = code(last, units)
                stages += split
                units = units.chunk(2)[0]
            self.levels.append(stages)

    @torch.no_grad()
    def encode(self, images: Tensor, labels: Tensor | None, stack: BitStack) -> None:
        """Push images.

        Args:
            images: uint8 (B,C,H,W), with only the upper ``n_bits`` of each pixel.
            labels: Class labels (B,), or None.
            stack: The stack.

        Raises:
            UncodableError: If an image leaves the range of the grid; the stack is then spoilt.
        """
        bins = images.long() >> 8 - self.n_bits
        noise = stack.pop_uniform(tuple(images.shape), self._bin_size)
        x = bins * self._bin_size + noise - 2 ** (GRID_BITS - 1)
        for level in self.levels:
            for stage in level:
                x = stage.encode(x, labels, stack)
            if level is not self.levels[-1]:
                x, eps = x.chunk(2, dim=1)
            else:
                eps = x
            _push(eps, stack)

    @torch.no_grad()
    def decode(self, n: int, labels: Tensor | None, stack: BitStack) -> Tensor:
        """Pop images; the inverse of ``encode``.

        Args:
            n: The number of images, B.
            labels: Class labels (B,), or None.
            stack: The stack.

        Returns:
            uint8 images (B,C,H,W).

        Raises:
            UncodableError: If the stack holds something else.
        """
        x: Tensor | None = None
        for level, shape in zip(reversed(self.levels), reversed(self.shapes), strict=True):
            eps = _pop((n, *shape), stack)
            x = eps if x is None else torch.cat([x, eps], dim=1)
            for stage in reversed(level):
                x = stage.decode(x, labels, stack)
        assert x is not None
        x = x + 2 ** (GRID_BITS - 1)
        check((x >= 0) & (x < 2**GRID_BITS))
        stack.push_uniform(x & (self._bin_size - 1), self._bin_size)
        return (x.div(self._bin_size, rounding_mode="floor") << 8 - self.n_bits).to(torch.uint8)

    def bits_to_borrow(self, images: Tensor, labels: Tensor | None) -> float:
        """Return how many bits must be on the stack before an image can be encoded.

        Args:
            images: Images like those to be encoded, uint8 (B,C,H,W).
            labels: Class labels (B,), or None.

        Returns:
            The most that encoding takes from the stack before it gives bits back, for an image.
        """
        plenty = images.numel() * MOST_BORROWED // 32
        words = np.random.default_rng(0).integers(2**32, size=plenty, dtype=np.uint32)
        stack = BitStack(words, sealed=True)
        before = stack.n_bits
        try:
            self.encode(images, labels, stack)
        except UncodableError:
            return images[0].numel() * MOST_BORROWED
        return (before - stack.fewest_bits) / len(images)

    @property
    def _bin_size(self) -> int:
        return 2 ** (GRID_BITS - self.n_bits)


def _push(eps: Tensor, stack: BitStack) -> None:
    """Push numbers that are N(0, 1) under the model, int64 with the unit ``UNIT``."""
    bins = eps.div(BIN, rounding_mode="floor")
    check((bins >= -N_BINS) & (bins < N_BINS))
    stack.push_uniform(eps - bins * BIN, BIN)
    stack.push_normal(bins, N_BINS, 1 / (BIN * UNIT))


def _pop(shape: tuple[int, ...], stack: BitStack) -> Tensor:
    """Pop such numbers; the inverse of ``_push``."""
    bins = stack.pop_normal(shape, N_BINS, 1 / (BIN * UNIT))
    return bins * BIN + stack.pop_uniform(shape, BIN)


@functools.singledispatch
def code(part: nn.Module, units: Tensor) -> tuple[list[Stage], Tensor]:
    """Return the stages of a part of a flow.

    Args:
        part: A bijection.
        units: The units of its input.

    Returns:
        The stages, first to last, and the units of the output.

    Raises:
        ValueError: If there is no exact code for the part.
    """
    raise ValueError(
        f"compression knows no exact code for {type(part).__name__}: it knows ActNorm, "
        "permutations, 1x1 convolutions, additive and affine couplings, squeezes and splits"
    )


def _single(stage: Stage) -> tuple[list[Stage], Tensor]:
    return [stage], stage.units


@code.register
def _(part: Chain, units: Tensor) -> tuple[list[Stage], Tensor]:
    stages: list[Stage] = []
    for bijection in part:
        found, units = code(bijection, units)
        stages += found
    return stages, units


@code.register
def _(part: Flattened, units: Tensor) -> tuple[list[Stage], Tensor]:
    flat = Reshaping((units.numel(),), units)
    stages, inner = code(part.bijection, flat.units)
    restored = Reshaping(units.shape, inner)
    return [flat, *stages, restored], restored.units


@code.register(Squeeze)
@code.register(Permutation)
def _(part: Squeeze | Permutation, units: Tensor) -> tuple[list[Stage], Tensor]:
    return _single(Reordering(part, units))


@code.register
def _(part: Inverse, units: Tensor) -> tuple[list[Stage], Tensor]:
    if isinstance(part.bijection, Permutation):
        return _single(Reordering(part, units))
    return code(part.bijection, units)  # refuses


@code.register
def _(part: ChannelAffine, units: Tensor) -> tuple[list[Stage], Tensor]:
    return _single(Scaling(*part.scale_and_shift(), units))


@code.register
def _(part: InvertibleLinear, units: Tensor) -> tuple[list[Stage], Tensor]:
    matrix, _, bias = part.stack([part])
    weight = matrix[0].double()
    shift = weight.new_zeros(len(weight)) if bias is None else weight @ bias[0].double()
    return _single(Mixing(weight, shift, units))


@code.register
def _(part: OrthogonalLinear, units: Tensor) -> tuple[list[Stage], Tensor]:
    matrix = part.matrix().double()
    return _single(Mixing(matrix, matrix.new_zeros(len(matrix)), units))


@code.register
def _(part: AdditiveCoupling, units: Tensor) -> tuple[list[Stage], Tensor]:
    return _single(Adding(part, units))


@code.register
def _(part: AffineCoupling, units: Tensor) -> tuple[list[Stage], Tensor]:
    def numbers(raw: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw_scale = deinterleave(raw)
        return shift, part.scale_map(raw_scale)

    return _single(Rescaled(part, numbers, units))


@code.register
def _(part: TransformCoupling, units: Tensor) -> tuple[list[Stage], Tensor]:
    element = part.element
    if not isinstance(element, Affine):
        raise ValueError(
            f"compression knows no exact code for couplings with a {type(element).__name__}, only "
            "for additive and affine ones"
        )

    def numbers(raw: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw_scale = deinterleave(raw)
        log_scale = element.scale_map(raw_scale)
        return shift * (-log_scale).exp(), log_scale  # of the shift before the scale

    return _single(Rescaled(part, numbers, units))


@code.register
def _(part: Split, units: Tensor) -> tuple[list[Stage], Tensor]:
    def numbers(raw: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = deinterleave(raw)
        return -mean, -log_std

    return _single(Rescaled(part, numbers, units))
