"""Where points are after every layer of a flow, on their way from the base to the data."""

import torch
from torch import Tensor

from glow.bijections import Bijection
from glow.models import LayeredDensity


@torch.no_grad()
def stages(density: LayeredDensity, z: Tensor) -> list[Tensor]:
    """Follow points through the layers, in the direction of sampling.

    Between layers, points are shown as they would arrive if only the fixed maps followed: the
    mixings that are left, and the ActNorm. So all stages have the coordinates of the data, the
    first is the base with the moments of the data, and the last is exactly what sampling returns.

    Args:
        density: The density.
        z: Points (B,D) from the base.

    Returns:
        K + 1 tensors (B,D).
    """
    found = [z]
    for name, part in reversed(list(density.flow.named_children())):
        assert isinstance(part, Bijection)
        if name.startswith("layer"):
            found.append(part.inverse(found[-1]))
        else:
            found = [part.inverse(points) for points in found]
    return found
