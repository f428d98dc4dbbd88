"""One scale and one shift for each entry."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glow.bijections.bijection import Bijection


class ElementwiseAffine(Bijection):
    """Scale and shift every entry of an example: ``y = x * exp(log_scale) + shift``.

    ``log_det = sum(log_scale)``. It starts as the identity, and both directions are fast. Without
    a shift this is the diagonal scaling at the end of NICE (Dinh et al. 2014, section 3.3), which
    lets a flow that preserves volume otherwise give each entry a weight. ``ActNorm`` has one scale
    per channel instead, and starts from data.

    Args:
        shape: The shape of an example without the batch: D, or (C,H,W).
        shift: Whether there is a shift.
    """

    shift: nn.Parameter | None

    def __init__(self, shape: int | Sequence[int], *, shift: bool = True) -> None:
        super().__init__()
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.log_scale = nn.Parameter(torch.zeros(shape))
        if shift:
            self.shift = nn.Parameter(torch.zeros(shape))
        else:
            self.register_parameter("shift", None)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Scale, then shift (B, ...)."""
        y = x * self.log_scale.exp()
        return y if self.shift is None else y + self.shift, self.log_scale.sum().expand(x.shape[0])

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Undo the shift, then the scale."""
        x = y if self.shift is None else y - self.shift
        return x * (-self.log_scale).exp()
