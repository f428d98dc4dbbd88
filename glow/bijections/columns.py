"""Even and odd columns of an image, as two halves of the channels."""

from einops import rearrange
from torch import Tensor

from glow.bijections.bijection import Bijection, zero_log_det


class Columns(Bijection):
    """Put the even columns of an image before its odd ones: (B,C,H,W) to (B,2C,H,W/2).

    A coupling that follows transforms the odd columns, given the even ones. The code of Flow++
    calls this its checkerboard. ``log_det`` is 0. The width must be even.
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Stack even and odd columns."""
        if x.ndim != 4 or x.shape[3] % 2:
            raise ValueError(
                f"columns need images (B,C,H,W) of an even width, got {tuple(x.shape)}"
            )
        return rearrange(x, "b c h (w two) -> b (two c) h w", two=2), zero_log_det(x)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """Interleave the columns again."""
        return rearrange(y, "b (two c) h w -> b c h (w two)", two=2)
