import math
import warnings
from functools import partial

import pytest
import torch

from glow import Glow
from glow.bijections import ActNorm, AdditiveCoupling, Bijection, ReversePermutation
from glow.dequantizers import UniformDequantizer
from glow.models import ClassConditionalPrior, ImageFlow, StandardPrior
from tests.small_models import affine, net, perturb


def test_log_prob_is_the_change_of_variables(model: Glow, images: torch.Tensor) -> None:
    model = model.double()
    noise = torch.rand(images.shape, dtype=torch.float64)
    image, unit = images[:1], noise[:1]

    def latents_of(unit: torch.Tensor) -> torch.Tensor:
        latents, _ = model(image, noise=unit)
        return latents.flatten()[0]

    # The density of one image's noise over the unit cube is what log_prob adds up.
    jacobian = torch.autograd.functional.jacobian(latents_of, unit).reshape(64, 64)
    eps = latents_of(unit)
    expected = -0.5 * (eps.square() + math.log(2 * math.pi)).sum()
    expected = expected + torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(model.log_prob(image, noise=unit)[0], expected)


def test_the_probabilities_of_all_images_sum_to_the_mass_of_the_image_cube() -> None:
    # 4 pixels of 1 bit are 16 images. The integral over the noise is a mean over a fine grid.
    model = Glow((1, 2, 2), n_bits=1, n_levels=1, n_steps=2, coupling=affine).double()
    images = (torch.cartesian_prod(*[torch.tensor([0, 128])] * 4)).to(torch.uint8)
    model.initialize(images.view(16, 1, 2, 2))
    perturb(model, 0.02)
    grid = (torch.arange(16, dtype=torch.float64) + 0.5) / 16
    noise = torch.cartesian_prod(*[grid] * 4)
    total = 0.0
    with torch.no_grad():
        for image in images:
            batch = image.view(1, 1, 2, 2).expand(len(noise), -1, -1, -1)
            total += model.log_prob(batch, noise=noise.view(-1, 1, 2, 2)).exp().mean().item()
    with torch.no_grad():
        x = model.flow.inverse(model.sample_latents(100_000))
    share = ((x >= -0.5) & (x < 0.5)).flatten(1).all(1).double().mean().item()
    assert share > 0.2
    assert total == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("n_bits", [1, 5, 8])
def test_decode_returns_the_encoded_image(channels: int, n_bits: int) -> None:
    shape = (channels, 8, 12)
    model = Glow(shape, n_bits, n_levels=2, n_steps=3, coupling=affine)
    images = torch.randint(0, 256, (6, *shape), dtype=torch.uint8)
    model.initialize(images)
    perturb(model, 0.05)
    latents = model.encode(images)
    quantized = images // 2 ** (8 - n_bits) * 2 ** (8 - n_bits)
    assert torch.equal(model.decode(latents), quantized)
    assert torch.equal(model.encode(images).flatten(), latents.flatten())


def test_a_deep_model_returns_the_encoded_image_in_float32() -> None:
    model = Glow((3, 16, 16), n_levels=3, n_steps=32, coupling=affine)
    images = torch.randint(0, 256, (16, 3, 16, 16), dtype=torch.uint8)
    model.initialize(images)
    perturb(model, 0.01)
    assert torch.equal(model.decode(model.encode(images)), images)


def test_the_noise_can_be_passed_by_hand(model: Glow, images: torch.Tensor) -> None:
    noise = torch.rand(images.shape)
    assert torch.equal(model.log_prob(images, noise=noise), model.log_prob(images, noise=noise))
    assert not torch.equal(model.log_prob(images), model.log_prob(images))
    middle = torch.full(images.shape, 0.5)
    assert torch.equal(model.encode(images).flatten(), model.encode(images, noise=middle).flatten())


def test_bits_per_dim_of_an_untrained_model_are_near_those_of_the_image(
    images: torch.Tensor,
) -> None:
    model = Glow((1, 8, 8), n_levels=2, n_steps=2, coupling=affine)
    model.initialize(images)
    assert 7 < model.bits_per_dim(images).mean() < 10


def test_samples_are_images_and_reproducible(model: Glow) -> None:
    def draw(seed: int) -> torch.Tensor:
        return model.sample(5, 0.8, generator=torch.Generator().manual_seed(seed))

    assert draw(0).dtype == torch.uint8
    assert draw(0).shape == (5, 1, 8, 8)
    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))


def test_the_temperature_scales_the_latents_of_every_level(model: Glow) -> None:
    def draw(temperature: float | list[float]) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        return list(model.sample_latents(4, temperature, generator))

    fine, coarse = draw(1.0)
    for got, expected in zip(draw(0.5), (0.5 * fine, 0.5 * coarse), strict=True):
        assert torch.equal(got, expected)
    for got, expected in zip(draw([0.25, 2]), (0.25 * fine, 2 * coarse), strict=True):
        assert torch.equal(got, expected)
    cold = model.sample(3, 0.0)
    assert torch.equal(cold[0], cold[1])


@pytest.mark.parametrize("temperature", [-1.0, math.nan, math.inf, [0.7], [0.7, -0.1]])
def test_an_impossible_temperature_raises(model: Glow, temperature: float) -> None:
    with pytest.raises(ValueError, match="one number or one for each of the 2 levels, got"):
        model.sample(1, temperature)


def test_a_class_conditional_model_depends_on_its_labels(images: torch.Tensor) -> None:
    top = partial(ClassConditionalPrior, n_classes=3)
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine, top=top)
    model.initialize(images, torch.arange(8) % 3)
    perturb(model, 0.02)
    assert model.n_classes == 3
    noise, zeros, ones = torch.rand(images.shape), torch.zeros(8).long(), torch.ones(8).long()
    of_zeros = model.log_prob(images, zeros, noise=noise)
    assert (of_zeros != model.log_prob(images, ones, noise=noise)).all()
    assert torch.equal(of_zeros, model.log_prob(images, zeros.int(), noise=noise))
    assert torch.equal(model.decode(model.encode(images, ones), ones), images)
    assert model.sample(3, labels=torch.tensor([0, 1, 2])).shape == (3, 1, 8, 8)
    with pytest.raises(ValueError, match="needs labels, one integer from 0 to 2"):
        model.sample(3)


def test_a_model_without_classes_ignores_labels(model: Glow, images: torch.Tensor) -> None:
    noise = torch.rand(images.shape)
    assert model.n_classes == 0
    assert torch.equal(
        model.log_prob(images, torch.arange(8), noise=noise), model.log_prob(images, noise=noise)
    )


def test_autocast_reaches_training_but_no_evaluation(model: Glow, images: torch.Tensor) -> None:
    noise = torch.rand(images.shape)
    latents, _ = model(images, noise=noise)
    exact = model.log_prob(images, noise=noise)
    encoded = model.encode(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lower, log_det = model(images, noise=noise)
        assert torch.equal(model.log_prob(images, noise=noise), exact)
        assert torch.equal(model.encode(images).flatten(), encoded.flatten())
        assert torch.equal(model.decode(encoded), images)
    assert not torch.equal(lower.flatten(), latents.flatten())
    assert log_det.dtype == lower[0].dtype == torch.float32
    torch.testing.assert_close(lower.flatten(), latents.flatten(), rtol=0, atol=0.1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_images_that_cannot_be_decoded_warn_and_are_black(value: float, model: Glow) -> None:
    latents = model.sample_latents(3)
    latents[1][1, 0, 0, 0] = value
    with pytest.warns(UserWarning, match="1 of 3 images are not finite"):
        images = model.decode(latents)
    assert images[1].max() == 0
    assert torch.equal(images[[0, 2]], model.decode(latents.map(lambda eps: eps[[0, 2]])))


def test_a_model_that_is_not_initialized_warns(images: torch.Tensor) -> None:
    model = Glow((1, 8, 8), n_levels=1, n_steps=1, coupling=affine)
    assert model.initialized is False
    for use in (model.log_prob, model.encode, lambda _: model.sample(1)):
        with pytest.warns(UserWarning, match="this model is not initialized"):
            use(images)
    model.initialize(images)
    with warnings.catch_warnings(action="error"):
        model.log_prob(images)
        model.sample(1)


def test_wrong_images_raise(model: Glow) -> None:
    with pytest.raises(ValueError, match=r"shape \(B, 1, 8, 8\), got \(2, 3, 8, 8\)"):
        model.log_prob(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match="image_shape must be"):
        Glow((8, 8), n_levels=1)


def test_the_number_of_parameters_is_the_paper_s() -> None:
    with torch.device("meta"):
        model = Glow((3, 32, 32), n_levels=3, n_steps=32)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(44.6e6, rel=0.01)


def test_the_simplest_flow_can_be_built() -> None:
    model = Glow(
        (2, 4, 4),
        n_levels=1,
        n_steps=2,
        permutation=ReversePermutation,
        coupling=partial(AdditiveCoupling, net=net),
        top=StandardPrior,
    )
    images = torch.randint(0, 256, (3, 2, 4, 4), dtype=torch.uint8)
    latents, log_det = model(images)
    # Nothing but dequantization changes the volume before training.
    torch.testing.assert_close(log_det, torch.full((3,), -32 * math.log(256)))
    assert latents.flatten().shape == (3, 32)


def test_labels_can_reach_every_coupling(images: torch.Tensor) -> None:
    """Then the levels must run once for each class."""
    coupling = partial(affine, net=partial(net, n_classes=3))
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=coupling)
    labels, noise = torch.arange(8) % 3, torch.rand(images.shape)
    model.initialize(images, labels)
    perturb(model, 0.05)
    assert model.n_classes == 3
    assert torch.equal(model.decode(model.encode(images, labels), labels), images)
    first, _ = model.flow.levels[0](torch.randn(2, 1, 8, 8).expand(2, -1, -1, -1), labels[:2])
    assert first.shape == (2, 4, 4, 4)
    found = model.class_log_probs(images, noise=noise)
    for label in range(3):
        expected = model.log_prob(images, torch.full((8,), label), noise=noise)
        torch.testing.assert_close(found[:, label], expected)
    assert (found.std(1) > 1e-3).all()
    with pytest.raises(ValueError, match="needs labels, one integer from 0 to 2"):
        model.sample(3)


def test_parts_with_different_numbers_of_classes_raise() -> None:
    coupling = partial(affine, net=partial(net, n_classes=3))
    top = partial(ClassConditionalPrior, n_classes=4)
    with pytest.raises(ValueError, match=r"the same number of classes, got \[3, 4\]"):
        Glow((1, 8, 8), n_levels=1, n_steps=1, coupling=coupling, top=top)


def test_the_dequantizer_can_be_exchanged(images: torch.Tensor) -> None:
    class Squared(UniformDequantizer):
        """Place pixels at the square of the noise, whose density is 1 / (2 sqrt(u))."""

        name = "squared"

        def forward(
            self, images: torch.Tensor, noise: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            x, log_det = self.place(images, noise.square())
            return x, log_det + (2 * noise).log().flatten(1).sum(1)

    model = Glow((1, 8, 8), n_levels=1, n_steps=1, coupling=affine, dequantizer=Squared)
    plain = Glow((1, 8, 8), n_levels=1, n_steps=1, coupling=affine)
    model.initialize(images)
    plain.load_state_dict(model.state_dict())
    noise = torch.rand(images.shape) + 1e-3
    jacobian = (2 * noise).log().flatten(1).sum(1)
    expected = plain.log_prob(images, noise=noise.square()) + jacobian
    torch.testing.assert_close(model.log_prob(images, noise=noise), expected)
    assert torch.equal(model.decode(model.encode(images)), images)


def test_a_part_that_does_not_hand_initialization_on_is_named(images: torch.Tensor) -> None:
    class Selfish(Bijection):
        """An ActNorm inside of another bijection."""

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.norm = ActNorm(channels)

        def forward(
            self, x: torch.Tensor, context: torch.Tensor | None = None
        ) -> tuple[torch.Tensor, torch.Tensor]:
            y, log_det = self.norm(x)
            return y, log_det

        def inverse(self, y: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
            return self.norm.inverse(y)

    model = Glow((1, 8, 8), n_levels=1, n_steps=1, permutation=Selfish, coupling=affine)
    with pytest.raises(RuntimeError, match=r"steps\.0\.mix\.permutation\.norm was not initialized"):
        model.initialize(images)


def test_a_model_can_be_built_from_parts(images: torch.Tensor) -> None:
    glow = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine)
    glow.initialize(images)
    model = ImageFlow((1, 8, 8), UniformDequantizer(8), glow.flow)
    noise = torch.rand(images.shape)
    assert torch.equal(model.log_prob(images, noise=noise), glow.log_prob(images, noise=noise))
    assert model.latent_shapes == [(2, 4, 4), (8, 2, 2)]
    assert model.n_classes == 0
