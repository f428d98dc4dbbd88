"""The contract that every bijection keeps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Bijection(nn.Module, ABC):
    r"""An invertible map ``y = f(x)`` that knows how it changes volume.

    Every flow obeys one law, ::

        log p(x) = log p_base(y) + log_det,        log_det = log |det dy/dx|,

    and each layer says only what it adds to ``log_det``. ``forward`` maps data to latents and
    ``inverse`` maps latents to data.

    x is a batch of examples (B, ...) whose second axis holds the channels of images (B,C,H,W) or
    the features of vectors (B,D). A layer that works on channels works on both. ``context`` is
    whatever conditions the map, such as class labels (B,); a layer that has no use for it ignores
    it.
    """

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Map x to y.

        Args:
            x: Examples (B, ...).
            context: What conditions the map, or None.

        Returns:
            y (B, ...) and ``log_det`` (B,), in nats and in float32 or wider.
        """

    @abstractmethod
    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Map y back to x.

        Args:
            y: What ``forward`` returned, (B, ...).
            context: What was given to ``forward``.

        Returns:
            x (B, ...).
        """

    def initialize(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Set every parameter that starts from data and is not set yet; return y.

        This is data-dependent initialization: an explicit act on a batch that represents the data.
        Layers without such parameters only map x. A layer that contains others hands it on.

        Args:
            x: Examples (B, ...).
            context: What conditions the map, or None.

        Returns:
            y (B, ...), computed after the parameters were set.
        """
        y, _ = self(x, context)
        return y


def zero_log_det(x: Tensor) -> Tensor:
    """Return the ``log_det`` (B,) of a map that preserves volume, in float32 or wider."""
    dtype = x.dtype if x.dtype.itemsize >= torch.float32.itemsize else torch.float32
    return torch.zeros(x.shape[0], dtype=dtype, device=x.device)


def sum_per_example(x: Tensor) -> Tensor:
    """Sum x (B, ...) over everything but the batch, to (B,)."""
    return x.sum(tuple(range(1, x.ndim)))


def total_log_det(terms: Sequence[Tensor], x: Tensor) -> Tensor:
    """Add up the ``log_det`` of the parts of a map.

    Args:
        terms: Any number of ``log_det`` (B,).
        x: Examples (B, ...), of which only size, dtype and device matter.

    Returns:
        The sum (B,).
    """
    if len(terms) > 2:
        return torch.stack(list(terms)).sum(0)
    return sum(terms[1:], terms[0]) if terms else zero_log_det(x)


def per_channel(values: Tensor, x: Tensor) -> Tensor:
    """Reshape values (C,) so that they broadcast over the channels of x (B,C,...).

    Args:
        values: One value per channel, (C,).
        x: Examples (B,C,...).

    Returns:
        A view (C,1,...).
    """
    return values.view(-1, *[1] * (x.ndim - 2))
