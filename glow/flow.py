"""The multi-scale flow of the paper's figure 2: step, level, and the whole."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from glow.latents import Latents
from glow.layers import (
    ActNorm,
    AffineCoupling,
    Bijection,
    Chain,
    InvertibleConv,
    LearnedPrior,
    LUInvertibleConv,
    Memory,
    NormalizedConv,
    Split,
    Squeeze,
    TopPrior,
)

LayerFactory = Callable[[int], Bijection]  # channels -> layer
TopFactory = Callable[[int], TopPrior]  # channels -> top prior


class FlowStep(Chain):
    """One step of flow: ActNorm, permutation, coupling. Paper figure 2a.

    The first two are one part of the chain; before a 1x1 convolution the ActNorm is folded into it.
    """

    def __init__(self, channels: int, permutation: LayerFactory, coupling: LayerFactory) -> None:
        actnorm, permuted = ActNorm(channels), permutation(channels)
        mix = (
            NormalizedConv(actnorm, permuted)
            if isinstance(permuted, InvertibleConv)
            else Chain(actnorm=actnorm, permutation=permuted)
        )
        super().__init__(mix=mix, coupling=coupling(channels))


class Level(Chain):
    """One level: squeeze, then K steps of flow, from (B,C,H,W) to (B,4C,H/2,W/2)."""

    def __init__(
        self,
        channels: int,
        n_steps: int,
        permutation: LayerFactory,
        coupling: LayerFactory,
        memory: Memory = "keep",
    ) -> None:
        steps = [FlowStep(4 * channels, permutation, coupling) for _ in range(n_steps)]
        super().__init__(squeeze=Squeeze(), steps=Chain(*steps, memory=memory))


class MultiScaleFlow(nn.Module):
    """L levels with a split after each but the last, and the top prior: image to latents.

    ``x -> [level -> split] x (L-1) -> level -> top prior``. Every split and the top prior give off
    a standard-normal latent, so ``log p(x) = log N(latents; 0, I) + log_det``.

    Paper figure 2b.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        n_levels: int,
        n_steps: int,
        permutation: LayerFactory = LUInvertibleConv,
        coupling: LayerFactory = AffineCoupling,
        top: TopFactory = LearnedPrior,
        memory: Memory = "keep",
    ) -> None:
        super().__init__()
        self.latent_shapes = latent_shapes(image_shape, n_levels)
        self.memory = memory
        if n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, got {n_steps}")
        # Each split keeps half of a level's 4C channels, so level i starts from 2^i C of them.
        channels = [image_shape[0] * 2**level for level in range(n_levels)]
        self.levels = nn.ModuleList(
            Level(c, n_steps, permutation, coupling, memory) for c in channels
        )
        self.splits = nn.ModuleList(Split(4 * c) for c in channels[:-1])
        self.top = top(4 * channels[-1])

    @property
    def drift(self) -> Tensor | None:
        """The largest ``drift`` of the levels' steps, after a backward pass with ``reverse``."""
        drifts = [level.steps.drift for level in self.levels]  # type: ignore[union-attr]
        known = [drift for drift in drifts if isinstance(drift, Tensor)]
        return torch.stack(known).max() if known else None

    def compile_steps(self, **options: Any) -> None:
        """Compile the steps of flow, with the options of ``torch.compile``.

        The steps of a level share one graph, but for the very first, whose input has no gradient.
        With ``memory="reverse"``, which runs no step as a whole, it is the coupling networks.
        """
        torch._dynamo.config.recompile_limit = max(
            torch._dynamo.config.recompile_limit, 4 * len(self.levels)
        )
        for step in self.modules():
            if isinstance(step, FlowStep):
                whole = self.memory != "reverse"
                for module in (step,) if whole else step.get_submodule("coupling").children():
                    module.compile(dynamic=False, **options)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Latents, Tensor]:
        """Map continuous images (B,C,H,W), given labels (B,), to latents and log_det (B,)."""
        latents, log_dets = self.forward_by_level(x, labels)
        return latents, torch.stack(log_dets).sum(0)

    def forward_by_level(
        self, x: Tensor, labels: Tensor | None = None
    ) -> tuple[Latents, list[Tensor]]:
        """Do the same, with a log_det (B,) for each level and its split or the top prior."""
        latents, log_dets = [], []
        for level, split in zip(self.levels, self.splits, strict=False):  # all levels but the last
            x, level_log_det = level(x)
            x, eps, split_log_det = split(x)
            latents.append(eps)
            log_dets.append(level_log_det + split_log_det)
        x, level_log_det = self.levels[-1](x)
        eps, top_log_det = self.top(x, labels)
        return Latents([*latents, eps]), [*log_dets, level_log_det + top_log_det]

    def inverse(self, latents: Sequence[Tensor], labels: Tensor | None = None) -> Tensor:
        """Map latents, finest first, given labels (B,), back to continuous images (B,C,H,W)."""
        shapes = [tuple(eps.shape[1:]) for eps in latents]
        if shapes != self.latent_shapes:
            raise ValueError(
                f"this flow's latents have the shapes {self.latent_shapes}, finest first; "
                f"got {shapes}"
            )
        *finer, coarsest = latents
        x = self.top.inverse(coarsest, labels)
        x = self.levels[-1].inverse(x)  # type: ignore[operator]
        for level, split, eps in reversed(list(zip(self.levels, self.splits, finer, strict=False))):
            x = level.inverse(split.inverse(x, eps))  # type: ignore[operator]
        return x


def latent_shapes(image_shape: Sequence[int], n_levels: int) -> list[tuple[int, ...]]:
    """Return the shape (C_l,H_l,W_l) of every latent of an image (C,H,W), finest first.

    Raises ``ValueError`` where height or width cannot be halved once per level.
    """
    channels, height, width = image_shape
    largest = 0
    while height % 2 ** (largest + 1) == 0 and width % 2 ** (largest + 1) == 0:
        largest += 1
    if not 1 <= n_levels <= largest:
        raise ValueError(
            f"n_levels={n_levels} needs at least one level and a height and width divisible by "
            f"2^n_levels, got {height}x{width}, where "
            + (f"the largest legal n_levels is {largest}" if largest else "no n_levels is legal")
        )
    shapes = [
        (channels * 2**level, height // 2**level, width // 2**level) for level in range(1, n_levels)
    ]
    top = (channels * 2 ** (n_levels + 1), height // 2**n_levels, width // 2**n_levels)
    return [*shapes, top]
