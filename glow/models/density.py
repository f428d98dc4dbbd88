"""A density over vectors: a base distribution, and a flow."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from glow.bijections import Bijection, full_precision, inverse_and_log_det
from glow.models.base import Base


class Density(nn.Module):
    """The density of ``x = flow^-1(z)``, where z follows the base distribution.

    ::

        log p(x) = log p_base(flow(x)) + log_det

    By maximum likelihood on samples, it trains on ``-log_prob(x).mean()``, which runs the flow
    forward. In variational inference it trains on ``(log_prob - log_target(x)).mean()`` of
    ``rsample_and_log_prob``, which is KL(p || target) up to a constant and runs the flow backward.
    Each flow says which of its directions is fast.

    Args:
        base: The distribution of z.
        flow: The map from x to z.
        config: The keyword arguments with which the class of the model builds this model again,
            for checkpoints; None for a model that cannot be saved.
    """

    def __init__(
        self, base: Base, flow: Bijection, config: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.base = base
        self.flow = flow
        self.config = None if config is None else dict(config)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return log p(x).

        Args:
            x: Vectors (B,D).
            context: What conditions the flow, or None.

        Returns:
            Log-densities (B,), in nats.
        """
        with full_precision(x):
            z, log_det = self.flow(x, context)
            return self.base.log_prob(z) + log_det

    @torch.no_grad()
    def sample(
        self, n: int, context: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw vectors, without gradients.

        Args:
            n: How many.
            context: What conditions the flow, one for each vector, or None.
            generator: Where random numbers come from; None for PyTorch's global generator.

        Returns:
            Vectors (n,D).
        """
        z = self.base.sample(n, generator)
        with full_precision(z):
            return self.flow.inverse(z, context)

    def rsample_and_log_prob(
        self, n: int, context: Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw vectors with their log-densities, differentiable with respect to the parameters.

        With ``Inverse`` flows, and chains of them, this is a single pass; see
        ``inverse_and_log_det``.

        Args:
            n: How many.
            context: What conditions the flow, one for each vector, or None.
            generator: Where random numbers come from; None for PyTorch's global generator.

        Returns:
            Vectors (n,D), and log p of them (n,), in nats.
        """
        z = self.base.sample(n, generator)
        with full_precision(z):
            x, log_det = inverse_and_log_det(self.flow, z, context)
            return x, self.base.log_prob(z) - log_det
