"""Gaussianizing: turn a variable with a Gaussian prior into standard-normal noise."""

from torch import Tensor


def gaussianize(z: Tensor, mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``eps = (z - mean) / exp(log_std)`` and ``log_det = -sum(log_std)``, (B,), in nats.

    Adding ``log N(eps; 0, I) + log_det`` is adding ``log N(z; mean, std)``. So a model whose layers
    gaussianize what they factor out has standard-normal latents only, and temperature,
    interpolation and edits are plain arithmetic on them.
    """
    eps = (z - mean) * (-log_std).exp()
    return eps, -log_std.expand_as(z).flatten(1).sum(1)


def degaussianize(eps: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return ``z = mean + exp(log_std) * eps``, the inverse of ``gaussianize``."""
    return mean + log_std.exp() * eps
