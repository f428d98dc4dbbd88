"""Checkerboard masks, as an order of channels."""

import torch

from glow.bijections.permutation import Permutation


class Checkerboard(Permutation):
    """Order the channels of a squeezed image by the colors of a checkerboard, one color a half.

    ``Squeeze`` puts the pixels (0, 0), (0, 1), (1, 0) and (1, 1) of a block into the channels 4c to
    4c + 3. The first half of y holds 4c and 4c + 3, where row and column have an even sum, and the
    second half holds 4c + 1 and 4c + 2. Any coupling that follows is then one with a checkerboard
    mask: pixels of one color decide what happens to those of the other. Its network sees the pixels
    of its color alone, block by block, instead of an image with zeros in between.

    ``log_det`` is 0. Dinh et al. 2017, section 3.4 and figure 3.

    Args:
        channels: The number of channels after the squeeze, a multiple of 4.

    Raises:
        ValueError: If ``channels`` is not a multiple of 4.

    >>> Checkerboard(8).indices.tolist()
    [0, 3, 4, 7, 1, 2, 5, 6]
    """

    def __init__(self, channels: int) -> None:
        if channels < 4 or channels % 4:
            raise ValueError(
                "a checkerboard needs squeezed images, whose number of channels is a multiple of "
                f"4, got {channels}"
            )
        top_left, top_right, bottom_left, bottom_right = torch.arange(channels).view(-1, 4).T
        even, odd = (top_left, bottom_right), (top_right, bottom_left)
        super().__init__(torch.cat([torch.stack(color, dim=1).flatten() for color in (even, odd)]))
