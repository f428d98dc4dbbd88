from functools import partial
from pathlib import Path

import pytest
import torch

import glow
from glow import checkpoint
from glow.bijections import (
    ContinuousFlow,
    Inverse,
    MaskedAutoregressive,
    Planar,
    RationalQuadraticSpline,
    ReversePermutation,
    TransformCoupling,
)
from glow.bijections.scale_map import tanh_exp
from glow.bijections.transform import Affine
from glow.models import Density, LayeredDensity, StandardLogistic, StandardNormal
from glow.models.layered_density import LayerFactory
from glow.nets import MADE, MLP
from glow.nets.activation import tanh
from tests.small_models import perturb

made = partial(MADE, width=8)
LAYERS: dict[str, LayerFactory] = {
    "planar": Planar,
    "autoregressive": partial(MaskedAutoregressive, net=made),
    "a transform with a scale map": partial(
        MaskedAutoregressive, net=made, transform=Affine(partial(tanh_exp, bound=1.0))
    ),
    "spline": partial(
        TransformCoupling, net=partial(MLP, width=8), transform=RationalQuadraticSpline(5, 2.0)
    ),
    "continuous": partial(
        ContinuousFlow,
        net=partial(MLP, width=8, activation=partial(tanh)),
        solver="euler",
        n_steps=2,
    ),
}


def density(name: str, **options: bool) -> LayeredDensity:
    mixing = ReversePermutation
    model = LayeredDensity(2, LAYERS[name], 3, mixing, base=StandardLogistic, **options)
    return perturb(model, 0.3)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_file_rebuilds_the_density(name: str, reverse: bool, tmp_path: Path) -> None:  # noqa: FBT001
    model = density(name, reverse=reverse)
    model.flow.initialize(torch.randn(20, 2))
    glow.save(model, tmp_path / "density.ckpt")
    loaded = checkpoint.load_density(tmp_path / "density.ckpt")
    assert not loaded.training
    x = torch.randn(5, 2)
    assert torch.equal(loaded.log_prob(x), model.log_prob(x))
    assert checkpoint.describe(loaded) == checkpoint.describe(model)


def test_a_density_is_no_image_flow_and_an_image_flow_no_density(
    model: glow.Glow, tmp_path: Path
) -> None:
    glow.save(density("planar"), tmp_path / "density.ckpt")
    glow.save(model, tmp_path / "glow.ckpt")
    with pytest.raises(ValueError, match="a LayeredDensity, which is not an ImageFlow"):
        glow.load(tmp_path / "density.ckpt")
    with pytest.raises(ValueError, match="a Glow, which is not a Density"):
        checkpoint.load_density(tmp_path / "glow.ckpt")


def test_a_density_of_parts_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="this Density cannot be saved"):
        glow.save(Density(StandardNormal(2), Planar(2)), tmp_path / "density.ckpt")


def test_reverse_turns_every_layer_around() -> None:
    ahead, back = LayeredDensity(2, Planar, 1), LayeredDensity(2, Planar, 1, reverse=True)
    perturb(ahead, 0.5)
    layer, turned = ahead.flow.get_submodule("layer1"), back.flow.get_submodule("layer1")
    assert isinstance(layer, Planar)
    assert isinstance(turned, Inverse)
    turned.bijection.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2)
    torch.testing.assert_close(turned(x)[0], layer.inverse(x))


@pytest.mark.parametrize("options", [{"features": 0}, {"features": 2, "n_layers": 0}])
def test_sizes_below_1_raise(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        LayeredDensity(layer=Planar, **options)  # type: ignore[arg-type]
