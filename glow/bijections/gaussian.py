"""Gaussianizing: turn a variable with a Gaussian prior into standard-normal noise."""

from torch import Tensor

from glow.bijections.bijection import sum_per_example


def gaussianize(z: Tensor, mean: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``eps = (z - mean) / exp(log_std)`` and ``log_det = -sum(log_std)``.

    Adding ``log N(eps; 0, I) + log_det`` is the same as adding ``log N(z; mean, std)``. A model
    whose layers gaussianize what they factor out has standard-normal latents only, so temperature,
    interpolation and edits are arithmetic on the latents.

    Args:
        z: The variable (B, ...).
        mean: The mean of its prior, of a shape that broadcasts to that of z.
        log_std: The logarithm of the standard deviation, likewise.

    Returns:
        eps (B, ...) and ``log_det`` (B,), in nats.
    """
    eps = (z - mean) * (-log_std).exp()
    return eps, -sum_per_example(log_std.expand_as(z))


def degaussianize(eps: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return ``z = mean + exp(log_std) * eps``, the inverse of ``gaussianize``.

    Args:
        eps: The noise (B, ...).
        mean: The mean of the prior, of a shape that broadcasts to that of eps.
        log_std: The logarithm of the standard deviation, likewise.
    """
    return mean + log_std.exp() * eps
