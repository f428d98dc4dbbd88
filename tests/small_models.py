"""Models that are small enough to test, moved off their initial values."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import nn

from glow import Glow, ImageFlow
from glow.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    LogisticMixture,
    TanhCoupling,
    TransformCoupling,
)
from glow.bijections.scale_map import double_sigmoid
from glow.data import Digits
from glow.dequantizers import VariationalDequantizer
from glow.models import NICE, FlowPP, Jet, RealNVP
from glow.nets import MLP, CouplingNet, GatedAttentionNet, ResidualNet, VisionTransformer

Module = TypeVar("Module", bound=nn.Module)

net = partial(CouplingNet, width=5)
affine = partial(AffineCoupling, net=net)
mlp = partial(MLP, width=7)
residual = partial(ResidualNet, width=5, n_blocks=1)
gated = partial(GatedAttentionNet, width=4, n_blocks=1, n_heads=2, grid=(3, 2))
vit = partial(VisionTransformer, width=4, depth=1, n_heads=2, grid=(3, 2))
nice = partial(NICE, n_steps=3, coupling=partial(AdditiveCoupling, net=mlp))
real_nvp = partial(RealNVP, n_steps=2, coupling=partial(TanhCoupling, net=residual))
flowpp = partial(
    FlowPP,
    n_steps=[[0, 2], [1, 1]],
    coupling=partial(TransformCoupling, net=gated, transform=LogisticMixture(2)),
)
jet = partial(
    Jet,
    n_steps=4,
    patch_size=2,
    spatial_every=2,
    coupling=partial(AffineCoupling, net=vit, scale_map=double_sigmoid),
)
variational = partial(
    VariationalDequantizer,
    n_steps=2,
    coupling=partial(
        TransformCoupling, net=partial(gated, context_channels=4), transform=LogisticMixture(2)
    ),
    features=4,
    n_blocks=1,
)


def flowpp_with_its_noise(image_shape: Sequence[int], n_bits: int = 8, **options: Any) -> FlowPP:
    """Return a small Flow++ whose dequantizer, too, is that of Flow++."""
    dequantizer = partial(variational, image_shape=image_shape)
    return flowpp(image_shape, n_bits, dequantizer=dequantizer, **options)


BASELINES: dict[str, Callable[..., ImageFlow]] = {
    "nice": nice,
    "nice with a normal base": partial(nice, logistic=False),
    "real_nvp of one level": partial(real_nvp, n_levels=1),
    "real_nvp of two levels": partial(real_nvp, n_levels=2),
    "flowpp of one scale": partial(flowpp, n_steps=[[0, 2]]),
    "flowpp of two scales": flowpp,
    "flowpp with its noise, of two scales": flowpp_with_its_noise,
    "jet": jet,
    "jet without spatial couplings": partial(jet, spatial_every=0),
}


def perturb(module: Module, scale: float = 0.1) -> Module:
    """Add noise to every parameter, so that none is zero and no layer is the identity."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return module


def digits_model(**options: Any) -> Glow:
    """Return a small Glow of scikit-learn's digits, initialized from them."""
    torch.manual_seed(0)
    model = Glow((1, 8, 8), n_bits=5, n_levels=2, n_steps=1, coupling=affine, **options)
    data = Digits()
    data.setup("fit")
    model.initialize(*data.initialization_batch(256))
    return perturb(model, 0.02)
