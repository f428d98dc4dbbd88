"""The multi-scale flow of the paper's figure 2b."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glow.bijections import Bijection
from glow.latents import Latents
from glow.models.top_prior import TopPrior


class MultiScaleFlow(nn.Module):
    """Levels with a split after each but the last, and a top prior: an image to latents.

    ``x -> [level -> split] x (L-1) -> level -> top prior``. Every split and the top prior return
    standard-normal noise, so ``log p(x) = log N(latents; 0, I) + log_det``. A flow of a single
    scale is one level without splits. Paper figure 2b.

    Args:
        levels: One bijection per level, finest first.
        splits: One bijection after each level but the last, half of whose channels leaves.
        top: The prior of what is left.
        latent_shapes: The shape (C_l,H_l,W_l) of every latent, finest first.
    """

    def __init__(
        self,
        levels: Sequence[Bijection],
        splits: Sequence[Bijection],
        top: TopPrior,
        latent_shapes: Sequence[tuple[int, ...]],
    ) -> None:
        super().__init__()
        if not len(levels) == len(splits) + 1 == len(latent_shapes):
            raise ValueError(
                f"a flow of {len(levels)} levels needs {len(levels) - 1} splits and {len(levels)} "
                f"latent shapes, got {len(splits)} and {len(latent_shapes)}"
            )
        self.levels = nn.ModuleList(levels)
        self.splits = nn.ModuleList(splits)
        self.top = top
        self.latent_shapes = list(latent_shapes)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Latents, Tensor]:
        """Map continuous images to latents.

        Args:
            x: Images (B,C,H,W).
            context: Class labels (B,), or None.

        Returns:
            The latents and ``log_det`` (B,), in nats.
        """
        latents, log_dets = self.forward_by_level(x, context)
        return latents, torch.stack(log_dets).sum(0)

    def forward_by_level(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Latents, list[Tensor]]:
        """Map images to latents and L parts of ``log_det`` (B,), one for each level.

        Args:
            x: Continuous images (B,C,H,W).
            context: Class labels (B,), or None.

        Returns:
            The latents, and the parts in nats, each with that of the split or the top prior.
        """
        latents, log_dets = [], []
        for level, split in zip(self.levels, self.splits, strict=False):  # all but the last
            x, level_log_det = level(x, context)
            y, split_log_det = split(x, context)
            x, eps = y.chunk(2, dim=1)
            latents.append(eps)
            log_dets.append(level_log_det + split_log_det)
        x, level_log_det = self.levels[-1](x, context)
        eps, top_log_det = self.top(x, context)
        return Latents([*latents, eps]), [*log_dets, level_log_det + top_log_det]

    def inverse(self, latents: Sequence[Tensor], context: Tensor | None = None) -> Tensor:
        """Map latents back to continuous images.

        Args:
            latents: One tensor (B,C_l,H_l,W_l) per level, finest first.
            context: Class labels (B,), or None.

        Returns:
            Images (B,C,H,W).

        Raises:
            ValueError: If the latents have other shapes than those of this flow.
        """
        shapes = [tuple(eps.shape[1:]) for eps in latents]
        if shapes != self.latent_shapes:
            raise ValueError(
                f"this flow's latents have the shapes {self.latent_shapes}, finest first; "
                f"got {shapes}"
            )
        *finer, coarsest = latents
        x = self.top.inverse(coarsest, context)
        x = self.levels[-1].inverse(x, context)  # type: ignore[operator]
        for level, split, eps in reversed(list(zip(self.levels, self.splits, finer, strict=False))):
            y = torch.cat([x, eps], dim=1)
            x = level.inverse(split.inverse(y, context), context)  # type: ignore[operator]
        return x

    def initialize(self, x: Tensor, context: Tensor | None = None) -> None:
        """Initialize every part from what reaches it; see ``Bijection.initialize``.

        Args:
            x: Continuous images (B,C,H,W).
            context: Class labels (B,), or None.
        """
        for level, split in zip(self.levels, self.splits, strict=False):
            x = level.initialize(x, context)  # type: ignore[operator]
            x, _ = split.initialize(x, context).chunk(2, dim=1)  # type: ignore[operator]
        x = self.levels[-1].initialize(x, context)  # type: ignore[operator]
        self.top.initialize(x, context)


def latent_shapes(image_shape: Sequence[int], n_levels: int) -> list[tuple[int, ...]]:
    """Return the shapes of the latents when every level squeezes once.

    Args:
        image_shape: The shape (C,H,W) of an image.
        n_levels: The number of levels, L.

    Returns:
        One shape (C_l,H_l,W_l) per level, finest first.

    Raises:
        ValueError: If it is no shape, or height or width cannot be halved once per level.

    >>> latent_shapes((3, 32, 32), 3)
    [(6, 16, 16), (12, 8, 8), (48, 4, 4)]
    """
    if len(image_shape) != 3 or min(image_shape) < 1:
        raise ValueError(
            f"image_shape must be (channels, height, width), each at least 1, got {image_shape}"
        )
    channels, height, width = image_shape
    largest = 0
    while height % 2 ** (largest + 1) == 0 and width % 2 ** (largest + 1) == 0:
        largest += 1
    if not 1 <= n_levels <= largest:
        raise ValueError(
            f"n_levels={n_levels} needs at least one level and a height and width divisible by "
            f"2^n_levels, got {height}x{width}, where "
            + (f"the largest valid n_levels is {largest}" if largest else "no n_levels is valid")
        )
    shapes = [
        (channels * 2**level, height // 2**level, width // 2**level) for level in range(1, n_levels)
    ]
    top = (channels * 2 ** (n_levels + 1), height // 2**n_levels, width // 2**n_levels)
    return [*shapes, top]
