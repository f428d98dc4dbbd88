"""Variational dequantization: where it starts, what it bounds, and what decoding drops."""

import itertools
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from glow import Glow, ImageFlow
from glow.bijections import AffineCoupling, LogisticMixture, TransformCoupling
from glow.dequantizers import Dequantizer, UniformDequantizer, VariationalDequantizer
from glow.noise import noise_per_image
from tests.small_models import affine, gated, net, perturb, residual, vit

NETS: dict[str, Any] = {"paper": net, "residual": residual, "gated": gated, "vit": vit}


def variational(
    n_bits: int, shape: tuple[int, ...], network: Any = gated, n_steps: int = 2, **options: Any
) -> VariationalDequantizer:
    """Return a small variational dequantizer."""
    coupling = partial(
        TransformCoupling,
        net=partial(network, context_channels=4),
        transform=LogisticMixture(2),
    )
    return VariationalDequantizer(
        n_bits,
        image_shape=shape,
        n_steps=n_steps,
        coupling=coupling,
        features=4,
        n_blocks=1,
        **options,
    )


def random_images(*shape: int) -> Tensor:
    return torch.randint(256, shape, dtype=torch.uint8)


@pytest.mark.parametrize("network", NETS)
@pytest.mark.parametrize("n_steps", [1, 2])
def test_an_untrained_one_is_uniform(network: str, n_steps: int) -> None:
    """Also after the initialization of its networks, and for every image on its own."""
    images = random_images(16, 3, 8, 8)
    noise = noise_per_image(images)
    ours = variational(8, (3, 8, 8), NETS[network], n_steps)
    model = Glow((3, 8, 8), n_levels=2, n_steps=1, coupling=affine, dequantizer=lambda _: ours)
    model.initialize(images)
    expected = Glow((3, 8, 8), n_levels=2, n_steps=1, coupling=affine)
    expected.flow.load_state_dict(model.flow.state_dict())
    found = model.bits_per_dim(images, noise=noise)
    difference = found - expected.bits_per_dim(images, noise=noise)
    assert difference.abs().max() < 1e-6


@pytest.mark.parametrize("noise", [0.0, 2.0**-24, 0.5, 1 - 2.0**-24])
@pytest.mark.parametrize("n_bits", [1, 8])
def test_every_level_survives_whatever_the_flow_has_learned(noise: float, n_bits: int) -> None:
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    dequantizer = perturb(variational(n_bits, (1, 16, 16)), 1.0)
    x, log_det = dequantizer(images, torch.full(images.shape, noise))
    assert log_det.isfinite().all()
    assert torch.equal(dequantizer.inverse(x), dequantizer.quantize(images))
    middle = dequantizer.center(images)
    assert torch.equal(middle, UniformDequantizer(n_bits).center(images))
    assert torch.equal(dequantizer.inverse(middle), dequantizer.quantize(images))


def test_the_log_det_is_that_of_the_jacobian() -> None:
    images = random_images(2, 1, 2, 4)
    dequantizer = perturb(variational(3, (1, 2, 4)).double(), 0.3)
    noise = torch.rand(images.shape, dtype=torch.float64)
    _, log_det = dequantizer(images, noise)

    def x_of(one: Tensor) -> Tensor:
        return dequantizer(images, torch.stack([one, noise[1]]))[0][0]

    jacobian = torch.autograd.functional.jacobian(x_of, noise[0]).reshape(8, 8)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det[0])


def test_the_noise_depends_on_the_image() -> None:
    dequantizer = perturb(variational(8, (1, 4, 4)), 0.5)
    first, second = random_images(2, 1, 1, 4, 4)
    noise = torch.rand(1, 1, 4, 4)
    offsets = [
        dequantizer(images, noise)[0] - dequantizer.center(images) for images in (first, second)
    ]
    assert not torch.allclose(offsets[0], offsets[1], atol=1e-6)


def test_gradients_reach_every_parameter_and_none_of_a_batch_mate() -> None:
    dequantizer = perturb(variational(8, (1, 4, 4)), 0.3)
    images, noise = random_images(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    x, log_det = dequantizer(images, noise)
    ((x * torch.rand_like(x)).sum() + log_det.sum()).backward()
    for name, parameter in dequantizer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    alone, log_det_alone = dequantizer(images[:1], noise[:1])
    torch.testing.assert_close(alone, x[:1])
    torch.testing.assert_close(log_det_alone, log_det[:1])


def tiny_images() -> Tensor:
    """Return all images of 2x2 pixels and 2 bits, (256,1,2,2)."""
    levels = torch.tensor([0, 64, 128, 192], dtype=torch.uint8)
    return torch.stack(list(torch.cartesian_prod(*[levels] * 4))).view(256, 1, 2, 2)


def tiny_model(dequantizer: Dequantizer) -> ImageFlow:
    """Return a model of those images whose density varies within a bin."""
    torch.manual_seed(3)
    coupling = partial(AffineCoupling, net=net)
    model = Glow(
        (1, 2, 2), 2, n_levels=1, n_steps=2, coupling=coupling, dequantizer=lambda _: dequantizer
    )
    model.initialize(tiny_images())
    perturb(model.flow, 0.04)  # the same, whatever the dequantizer
    return model.double().eval().requires_grad_(requires_grad=False)


def exact_log_probs(model: ImageFlow, images: Tensor, n: int = 6) -> Tensor:
    """Integrate the density over the bins of images by Gauss-Legendre quadrature, (B,)."""
    nodes, weights = map(torch.from_numpy, np.polynomial.legendre.leggauss(n))
    grid = torch.cartesian_prod(*[(nodes + 1) / 2] * 4).view(-1, 1, 2, 2)
    log_weights = torch.cartesian_prod(*[weights / 2] * 4).log().sum(1)
    found = []
    for image in images:
        many = image.expand(len(grid), -1, -1, -1)
        found.append((model.log_prob(many, noise=grid) + log_weights).logsumexp(0))
    return torch.stack(found)


@pytest.fixture(scope="module", params=["uniform", "untrained", "perturbed", "trained"])
def tiny(request: pytest.FixtureRequest) -> tuple[ImageFlow, Tensor, Tensor]:
    """A model, three of its images, and log p of 4,096 draws of noise for each, (4096,3)."""
    kind, shape = request.param, (1, 2, 2)
    dequantizer = UniformDequantizer(2) if kind == "uniform" else variational(2, shape)
    model = tiny_model(dequantizer)
    if isinstance(dequantizer, VariationalDequantizer):
        torch.manual_seed(0)
        dequantizer.load_state_dict(variational(2, shape).double().state_dict())
        if kind == "perturbed":
            perturb(dequantizer, 0.1)
        if kind == "trained":
            fit(model, dequantizer)
    images = tiny_images()[[0, 77, 201]]
    torch.manual_seed(1)
    noise = torch.rand(4096, 3, 1, 2, 2, dtype=torch.float64)
    draws = model.log_prob(images.repeat(4096, 1, 1, 1), noise=noise.flatten(0, 1))
    return model, images, draws.view(4096, 3)


def fit(model: ImageFlow, dequantizer: nn.Module) -> None:
    """Train the dequantizer alone."""
    dequantizer.requires_grad_(requires_grad=True)
    optimizer = torch.optim.Adam(dequantizer.parameters(), lr=0.02)
    images = tiny_images()[[0, 77, 201]].repeat(16, 1, 1, 1)
    for _ in range(80):
        loss = -model.log_prob(images).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    dequantizer.requires_grad_(requires_grad=False)


def test_the_bound_is_one_and_importance_weights_close_its_gap(
    tiny: tuple[ImageFlow, Tensor, Tensor],
) -> None:
    """The mean over k draws inside the logarithm rises with k, and ends at log P(image)."""
    model, images, draws = tiny
    uniform = tiny_model(UniformDequantizer(2))
    exact = exact_log_probs(uniform, images)
    bounds = []
    for k in (1, 4, 16, 64, 512):
        grouped = draws.view(-1, k, 3).logsumexp(1) - math.log(k)
        error = grouped.std(0) / math.sqrt(len(grouped))
        assert (grouped.mean(0) <= exact + 4 * error + 1e-9).all(), k
        bounds.append(grouped.mean(0))
    for below, above in itertools.pairwise(bounds):
        assert (above >= below - 1e-9).all()
    assert (bounds[0] < exact - 1e-4).all()
    torch.testing.assert_close(bounds[-1], exact, rtol=0, atol=0.05)
    assert model.dequantizer.bound in "UV"


@pytest.mark.slow
def test_training_tightens_the_bound() -> None:
    images = tiny_images()[[0, 77, 201]]
    dequantizer = variational(2, (1, 2, 2))
    model = tiny_model(dequantizer)
    dequantizer.load_state_dict(variational(2, (1, 2, 2)).double().state_dict())
    torch.manual_seed(1)
    many, noise = images.repeat(1000, 1, 1, 1), torch.rand(3000, 1, 2, 2, dtype=torch.float64)
    before = model.log_prob(many, noise=noise).mean()
    fit(model, dequantizer)
    after = model.log_prob(many, noise=noise).mean()
    exact = exact_log_probs(tiny_model(UniformDequantizer(2)), images).mean()
    assert before + 0.25 * (exact - before) < after < exact


def test_all_probabilities_sum_to_less_than_1() -> None:
    model, images = tiny_model(UniformDequantizer(2)), tiny_images()
    total = exact_log_probs(model, images, n=3).exp().sum()
    assert 0.05 < total < 1


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 7, 7), {}, r"halves the columns.*even width\), got \(1, 7, 7\)"),
        ((8, 8), {}, r"got \(8, 8\)"),
        ((1, 4, 4), {"network": partial(gated, n_classes=2)}, "labels or features.*not both"),
    ],
)
def test_what_does_not_fit_raises(shape: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        variational(8, shape, **options)


def test_networks_without_features_and_with_labels_raise() -> None:
    labelled = partial(AffineCoupling, net=partial(gated, n_classes=2))
    with pytest.raises(ValueError, match="see features of the image, not class labels"):
        VariationalDequantizer(8, image_shape=(1, 4, 4), coupling=labelled)
    wrong = partial(AffineCoupling, net=partial(gated, context_channels=5))
    dequantizer = VariationalDequantizer(8, image_shape=(1, 4, 4), coupling=wrong)
    with pytest.raises(ValueError, match=r"features \(B,5,H,W\) of an image, got shape \(1, 32"):
        dequantizer(random_images(1, 1, 4, 4), torch.rand(1, 1, 4, 4))


def test_other_images_and_noise_raise() -> None:
    dequantizer = variational(8, (1, 4, 4))
    with pytest.raises(ValueError, match=r"must be uint8, from 0 to 255, got torch.float32"):
        dequantizer(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"shape \(1, 1, 4, 4\), got \(1, 1, 4, 2\)"):
        dequantizer(random_images(1, 1, 4, 4), torch.rand(1, 1, 4, 2))
