from functools import partial

import torch

from glow.analysis.stages import stages
from glow.bijections import MaskedAutoregressive, ReversePermutation
from glow.models import LayeredDensity
from glow.nets import MADE
from tests.small_models import perturb


def test_points_go_from_the_base_to_the_data() -> None:
    layer = partial(MaskedAutoregressive, net=partial(MADE, width=8))
    density = perturb(LayeredDensity(2, layer, 3, ReversePermutation), 0.3)
    z = torch.randn(5, 2)
    path = stages(density, z)
    assert len(path) == 4
    torch.testing.assert_close(path[-1], density.flow.inverse(z))


def test_only_layers_move_points() -> None:
    """Layers that are the identity leave the base with the moments of the data."""
    x = 3 * torch.randn(500, 2) + 1
    layer = partial(MaskedAutoregressive, net=partial(MADE, width=8))
    density = LayeredDensity(2, layer, 2, ReversePermutation)
    density.flow.initialize(x)
    with torch.no_grad():
        for name, parameter in density.flow.named_parameters():
            if name.startswith("layer"):
                parameter.zero_()
    first, second, last = stages(density, density.base.sample(2000))
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(second, last)
    torch.testing.assert_close(last.mean(0), x.mean(0), atol=0.4, rtol=0)
