"""Flow++: couplings by mixtures of logistics, of columns and of channels."""

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from torch import nn

from glow.bijections import (
    ActNorm,
    Bijection,
    Chain,
    Columns,
    Flattened,
    Halves,
    Inverse,
    LogisticMixture,
    Logit,
    Memory,
    PlainLinear,
    Squeeze,
    SwapPermutation,
    TransformCoupling,
    build_chain,
)
from glow.dequantizers import UniformDequantizer
from glow.models.glow import BijectionFactory, DequantizerFactory, Step
from glow.models.image_flow import ImageFlow
from glow.models.multi_scale_flow import MultiScaleFlow
from glow.models.top_prior import StandardPrior
from glow.nets import GatedAttentionNet

FLOWPP_COUPLING: BijectionFactory = partial(
    TransformCoupling, net=partial(GatedAttentionNet, gain=0.1), transform=LogisticMixture(32)
)


class FlowPPStep(Step):
    """One step: a norm of every entry, a matrix for each half of the channels, coupling, exchange.

    Args:
        shape: The shape (C,H,W) of an example, whose channels come in two halves.
        coupling: Builds the coupling.
        pointwise: Whether there are the matrices, which start close to the identity.
    """

    def __init__(
        self, shape: tuple[int, int, int], coupling: BijectionFactory, *, pointwise: bool = True
    ) -> None:
        channels, height, width = shape
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        parts["norm"] = Flattened(ActNorm(channels * height * width, log_scale_factor=1.0))
        if pointwise:
            half = channels // 2
            parts["pointwise"] = Halves(PlainLinear(half, 0.001), PlainLinear(half, 0.001))
        parts["coupling"] = coupling(channels)
        parts["swap"] = SwapPermutation(channels)
        super().__init__(parts)


class FlowPP(ImageFlow):
    r"""A logit, then steps at several scales; nothing leaves before the end.

    Each scale after the first squeezes the image. At a scale, steps with halves of channels come
    first, and then steps with even and odd columns, which the authors' code calls a checkerboard;
    from step to step the halves change places. The latents are N(0, 1).

    Ho et al. 2019, whose CIFAR-10 model, with ``VariationalDequantizer``, is the default. A new
    model must be initialized from data before it trains: see ``initialize``.

    Args:
        image_shape: The shape (C,H,W) of an image.
        n_bits: How many bits of a pixel the model sees, from 1 to 8.
        n_steps: For each scale, finest first, the number of steps with halves of channels, and of
            steps with columns.
        coupling: Builds the coupling of a step.
        pointwise: Whether steps have a matrix for each half of the channels.
        dequantizer: Builds the dequantizer, from ``n_bits``.
        margin: The margin of the logit.
        memory: What training keeps of the activations of steps for the backward pass: "keep",
            "recompute" or "reverse"; see ``glow.bijections.memory``.

    Raises:
        ValueError: If the sizes do not fit, or a number is out of range.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_bits: int = 8,
        n_steps: Sequence[Sequence[int]] = ((0, 4), (2, 3)),
        coupling: BijectionFactory = FLOWPP_COUPLING,
        pointwise: bool = True,  # noqa: FBT001, FBT002
        dequantizer: DequantizerFactory = UniformDequantizer,
        margin: float = 0.05,
        memory: Memory = "keep",
    ) -> None:
        if any(len(numbers) != 2 or min(numbers) < 0 for numbers in n_steps) or not n_steps:
            raise ValueError(
                "n_steps must hold two numbers of at least 0 for each scale, the steps with halves "
                f"of channels and those with columns, got {n_steps}"
            )
        if not sum(map(sum, n_steps)):
            raise ValueError("n_steps must hold at least one step")
        shape = _shape(image_shape)
        parts: list[Bijection] = [Logit(margin, low=-0.5)]
        for scale, (n_channel_steps, n_column_steps) in enumerate(n_steps):
            if scale:
                shape = _squeezed(shape, scale, image_shape)
                parts.append(Squeeze())
            if n_channel_steps:
                if shape[0] % 2:
                    raise ValueError(
                        f"{shape[0]} channels have no halves: n_steps must start with 0 steps of "
                        f"channels, got {list(n_steps[scale])}"
                    )
                steps = [
                    FlowPPStep(shape, coupling, pointwise=pointwise) for _ in range(n_channel_steps)
                ]
                parts.append(build_chain(steps, memory))
            if n_column_steps:
                if shape[2] % 2:
                    raise ValueError(
                        f"a width of {shape[2]} has no even and odd columns at scale {scale + 1}: "
                        "n_steps must hold fewer scales, or 0 steps of columns there"
                    )
                columns = (2 * shape[0], shape[1], shape[2] // 2)
                steps = [
                    FlowPPStep(columns, coupling, pointwise=pointwise)
                    for _ in range(n_column_steps)
                ]
                parts += [Columns(), build_chain(steps, memory), Inverse(Columns())]
        super().__init__(
            image_shape,
            dequantizer(n_bits),
            MultiScaleFlow([Chain(*parts)], [], StandardPrior(shape[0]), [shape]),
            config={
                "image_shape": list(image_shape),
                "n_bits": n_bits,
                "n_steps": [list(numbers) for numbers in n_steps],
                "coupling": coupling,
                "pointwise": pointwise,
                "dequantizer": dequantizer,
                "margin": margin,
                "memory": memory,
            },
        )


def _shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(
            f"image_shape must be (channels, height, width), each at least 1, got {image_shape}"
        )
    channels, height, width = image_shape
    return channels, height, width


def _squeezed(
    shape: tuple[int, int, int], scale: int, image_shape: Sequence[int]
) -> tuple[int, int, int]:
    channels, height, width = shape
    if height % 2 or width % 2:
        raise ValueError(
            f"an image of {image_shape[1]}x{image_shape[2]} cannot be halved {scale} times, which "
            f"n_steps of {scale + 1} scales need"
        )
    return 4 * channels, height // 2, width // 2
