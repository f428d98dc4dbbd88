"""What NICE, RealNVP, Flow++ and Jet promise, which is what Glow promises."""

import copy
import itertools
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import glow
from glow import ImageFlow
from glow.bijections import Memory
from glow.checkpoint import describe
from glow.likelihood import standard_normal_log_prob
from glow.training.compilation import compile_steps
from tests.small_models import (
    BASELINES,
    flowpp,
    gated,
    jet,
    mlp,
    nice,
    perturb,
    real_nvp,
    residual,
    vit,
)

every_baseline = pytest.mark.parametrize("make", BASELINES.values(), ids=BASELINES)


def built(make: Callable[..., ImageFlow], images: Tensor, n_bits: int = 8) -> ImageFlow:
    """Return a model of those images, initialized and moved off its initial values."""
    model = make(images.shape[1:], n_bits)
    model.initialize(images)
    return perturb(model, 0.05)


def vectors_of(model: ImageFlow) -> Any:
    """Return the chain of vectors in a NICE with a normal base."""
    return parts_of(model).bijection


def parts_of(model: ImageFlow) -> Any:
    """Return the chain that is the first level."""
    return model.flow.levels[0]


def random_images(*shape: int) -> Tensor:
    return torch.randint(256, shape, dtype=torch.uint8)


@every_baseline
@pytest.mark.parametrize("shape", [(1, 4, 8), (3, 4, 4)])
def test_log_prob_is_the_change_of_variables(
    make: Callable[..., ImageFlow], shape: tuple[int, ...]
) -> None:
    images = random_images(3, *shape)
    model = built(make, images).double()
    noise = torch.rand(images.shape, dtype=torch.float64)

    def latents_of(unit: Tensor) -> Tensor:
        return model(images[:1], noise=unit)[0].flatten()[0]

    jacobian = torch.autograd.functional.jacobian(latents_of, noise[:1])
    size = images[0].numel()
    expected = standard_normal_log_prob([latents_of(noise[:1])[None]])
    expected = expected + torch.linalg.slogdet(jacobian.reshape(size, size)).logabsdet
    torch.testing.assert_close(model.log_prob(images, noise=noise)[:1], expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in BASELINES if "two" not in name and "jet" not in name]
)
def test_the_probabilities_of_all_images_sum_to_the_mass_of_the_image_cube(name: str) -> None:
    """Two levels need 16 pixels, which are too many to count."""
    images = torch.cartesian_prod(*[torch.tensor([0, 128])] * 4).to(torch.uint8).view(16, 1, 2, 2)
    model = built(BASELINES[name], images, n_bits=1).double()
    grid = (torch.arange(8, dtype=torch.float64) + 0.5) / 8
    noise = torch.cartesian_prod(*[grid] * 4).view(-1, 1, 2, 2)
    with torch.no_grad():
        of_images = [
            model.log_prob(image.expand(len(noise), -1, -1, -1), noise=noise).exp().mean()
            for image in images
        ]
        n = 30_000 if "flowpp" in name else 100_000  # which takes a bisection
        x = model.flow.inverse(model.sample_latents(n))
    share = ((x >= -0.5) & (x < 0.5)).flatten(1).all(1).double().mean().item()
    assert share > 0.2
    assert sum(of_images).item() == pytest.approx(share, rel=0.02)  # type: ignore[union-attr]
    assert sum(of_images) < 1


@every_baseline
@pytest.mark.parametrize("n_bits", [1, 5, 8])
def test_decode_returns_the_encoded_image(make: Callable[..., ImageFlow], n_bits: int) -> None:
    images = random_images(6, 3, 8, 12)
    model = built(make, images, n_bits)
    latents = model.encode(images)
    assert latents.shapes == model.latent_shapes
    assert torch.equal(model.decode(latents), model.dequantizer.quantize(images))
    assert model.sample(3, 0.7).shape == (3, 3, 8, 12)


@every_baseline
def test_extreme_latents_decode_to_images(make: Callable[..., ImageFlow]) -> None:
    model = built(make, random_images(6, 1, 8, 8))
    with torch.no_grad():
        latents = model.sample_latents(3, temperature=3.0)
        assert model.flow.inverse(latents).isfinite().all()
        assert model.decode(latents.map(torch.zeros_like)).shape == (3, 1, 8, 8)


@every_baseline
def test_a_file_rebuilds_the_model(make: Callable[..., ImageFlow], tmp_path: Path) -> None:
    images = random_images(6, 2, 8, 4)
    model, noise = built(make, images), torch.rand(images.shape)
    glow.save(model, tmp_path / "model.pt")
    loaded = glow.load(tmp_path / "model.pt")
    assert torch.equal(loaded.log_prob(images, noise=noise), model.log_prob(images, noise=noise))
    assert describe(loaded) == describe(model)
    for value in describe(model)["coupling"].values():
        assert isinstance(value, str | bool | int | float | dict)


@every_baseline
def test_a_frozen_model_agrees_with_the_original(make: Callable[..., ImageFlow]) -> None:
    images = random_images(6, 3, 8, 8)
    model, noise = built(make, images), torch.rand(images.shape)
    before = copy.deepcopy(model.state_dict())
    frozen = model.frozen()
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    torch.testing.assert_close(
        frozen.log_prob(images, noise=noise), model.log_prob(images, noise=noise).detach()
    )
    assert torch.equal(frozen.decode(model.encode(images)), images)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Decoder(nn.Module):
    """What an export traces."""

    def __init__(self, model: ImageFlow) -> None:
        super().__init__()
        self.flow = model.flow

    def forward(self, *latents: Tensor) -> Tensor:
        return self.flow.inverse(latents)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BASELINES if "flowpp" not in name])
def test_decoding_can_be_exported(name: str) -> None:
    """A bisection would be a graph of thousands of operators."""
    make = BASELINES[name]
    images = random_images(6, 1, 8, 8)
    model = built(make, images)
    latents = model.encode(images)
    with torch.no_grad():
        decoder = torch.export.export(Decoder(model), tuple(latents)).module()
        assert torch.equal(model.dequantizer.inverse(decoder(*latents)), images)
    assert torch.equal(model.decode(latents), images)


@every_baseline
def test_autocast_lowers_the_networks_alone(make: Callable[..., ImageFlow]) -> None:
    images = random_images(6, 1, 8, 8)
    model, noise = built(make, images), torch.rand(images.shape)
    exact, latents = model.log_prob(images, noise=noise), model(images, noise=noise)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lower, log_det = model(images, noise=noise)
        assert torch.equal(model.log_prob(images, noise=noise), exact)
        assert torch.equal(model.decode(model.encode(images)), images)
    assert not torch.equal(lower.flatten(), latents.flatten())
    assert log_det.dtype == lower[0].dtype == torch.float32
    torch.testing.assert_close(lower.flatten(), latents.flatten(), rtol=0, atol=0.1)


@every_baseline
def test_an_image_does_not_depend_on_its_batch_in_training(make: Callable[..., ImageFlow]) -> None:
    images = random_images(4, 1, 8, 8)
    model, noise = built(make, images).train(), torch.rand(images.shape)
    together, alone = (model.log_prob(images[:n], noise=noise[:n]) for n in (4, 1))
    torch.testing.assert_close(together[:1], alone)


@pytest.mark.slow
@every_baseline
def test_it_learns(make: Callable[..., ImageFlow]) -> None:
    """Images of one gray have few bits."""
    images = random_images(16, 1, 1, 1).expand(-1, -1, 8, 8).contiguous()
    model = make((1, 8, 8))
    model.initialize(images)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    bits = []
    for _ in range(40):
        loss = model.bits_per_dim(images).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bits.append(loss.item())
    assert bits[-1] < bits[0] - 0.3


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (nice, partial(mlp, n_classes=3)),
        (real_nvp, partial(residual, n_classes=3)),
        (flowpp, partial(gated, n_classes=3)),
        (jet, partial(vit, n_classes=3)),
    ],
)
def test_labels_can_be_shown_to_every_coupling(
    make: partial[ImageFlow], part: partial[nn.Module]
) -> None:
    images, labels = random_images(6, 1, 8, 8), torch.arange(6) % 3
    model = make((1, 8, 8), coupling=partial(make.keywords["coupling"], net=part))
    model.initialize(images, labels)
    perturb(model, 0.05)
    assert model.n_classes == 3
    assert torch.equal(model.decode(model.encode(images, labels), labels), images)
    assert (model.class_log_probs(images).std(1) > 1e-4).all()


@pytest.mark.parametrize(
    ("make", "shape", "options", "message"),
    [
        (nice, (1, 7, 7), {}, r"one of them even, so that NICE can halve .*got \(1, 7, 7\)"),
        (nice, (8, 8), {}, r"image_shape must be \(channels, height, width\).*got \(8, 8\)"),
        (nice, (1, 8, 8), {"n_steps": 0}, "n_steps must be at least 1, got 0"),
        (real_nvp, (1, 28, 28), {"n_levels": 3}, "28x28, where the largest valid n_levels is 2"),
        (real_nvp, (3, 15, 16), {"n_levels": 1}, "got 15x16, where no n_levels is valid"),
        (real_nvp, (8, 8), {}, r"image_shape must be \(channels, height, width\).*got \(8, 8\)"),
        (real_nvp, (1, 8, 8), {"n_steps": 0}, "n_steps must be at least 1, got 0"),
        (real_nvp, (1, 8, 8), {"margin": 0.5}, "margin must be at least 0 and below 0.5, got 0.5"),
        (flowpp, (8, 8), {}, r"image_shape must be \(channels, height, width\).*got \(8, 8\)"),
        (flowpp, (1, 8, 8), {"n_steps": [[0, 0]]}, "n_steps must hold at least one step"),
        (flowpp, (1, 8, 8), {"n_steps": [[1]]}, r"two numbers of at least 0 .*got \[\[1\]\]"),
        (flowpp, (1, 8, 8), {"n_steps": [[1, 0]]}, "1 channels have no halves"),
        (flowpp, (1, 8, 7), {}, "a width of 7 has no even and odd columns at scale 1"),
        (flowpp, (1, 7, 8), {}, "7x8 cannot be halved 1 times"),
        (jet, (8, 8), {}, r"image_shape must be \(channels, height, width\).*got \(8, 8\)"),
        (jet, (1, 8, 8), {"n_steps": 0}, "n_steps must be at least 1, got 0"),
        (jet, (1, 8, 8), {"patch_size": 3}, "patch_size=3 must divide .*8x8"),
        (jet, (1, 8, 8), {"spatial_every": -1}, "spatial_every must be at least 0, got -1"),
        (jet, (1, 6, 6), {}, "patch_size=2 makes 3x3 patches, .* or spatial_every=0"),
    ],
)
def test_wrong_sizes_raise(
    make: Callable[..., ImageFlow],
    shape: tuple[int, ...],
    options: dict[str, float],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        make(shape, **options)


def test_a_model_without_steps_of_flow_cannot_be_compiled() -> None:
    with pytest.raises(ValueError, match="NICE has no steps of flow to compile: compiled=false"):
        compile_steps(nice((1, 8, 8)))
    compile_steps(real_nvp((1, 8, 8)), backend="eager")


def test_nice_changes_volume_by_its_scaling_alone() -> None:
    images = random_images(3, 1, 4, 4)
    model = built(partial(nice, logistic=False), images)
    _, log_det = model(images)
    scaling = vectors_of(model)[-1]
    expected = scaling.log_scale_factor * scaling.log_scale.sum() - 16 * math.log(256)
    torch.testing.assert_close(log_det, expected.expand(3))


def test_the_first_coupling_of_nice_keeps_the_even_entries() -> None:
    model = perturb(nice((1, 4, 6), n_steps=1, logistic=False))
    x = torch.randn(2, 24)
    order, coupling, _ = vectors_of(model)
    y, _ = coupling(order(x)[0])
    torch.testing.assert_close(y[:, :12], x[:, 0::2])
    assert (y[:, 12:] != x[:, 1::2]).all()


@pytest.mark.parametrize("n_steps", [1, 2, 3])
def test_the_masks_of_real_nvp_are_colors_then_channels(n_steps: int) -> None:
    """Follow every pixel to the half in which it enters each coupling."""
    model = real_nvp((3, 8, 8), n_levels=2, n_steps=n_steps)
    (_, first), last = parts_of(model), model.flow.levels[1]
    for level, n_colors in ((first, n_steps), (last, n_steps + 1)):
        channels = 12 if level is first else 24
        found = []
        position = torch.arange(channels).view(1, channels, 1, 1)
        steps: Any = level.steps
        for step in steps:
            position, _ = step.mix.permutation(position)
            found.append(set(position.flatten()[: channels // 2].tolist()))
        for step, half in enumerate(found[:n_colors]):
            even = {c for c in range(channels) if c % 4 in (0, 3)}
            assert half == (even if step % 2 == 0 else set(range(channels)) - even)
        for half in found[n_colors:]:
            assert half in (set(range(channels // 2)), set(range(channels // 2, channels)))
        for number, (before, after) in enumerate(itertools.pairwise(found), start=1):
            assert not before & after or number == n_colors
        assert len(found) == (2 * n_steps if level is first else n_steps + 1)


@pytest.mark.parametrize("memory", ["recompute", "reverse"])
def test_memory_changes_no_gradient_of_real_nvp(memory: Memory) -> None:
    images, noise = random_images(3, 1, 8, 8), torch.rand(3, 1, 8, 8, dtype=torch.float64)
    keeping = built(real_nvp, images).double()
    other = real_nvp((1, 8, 8), memory=memory).double()
    other.load_state_dict(keeping.state_dict())
    for model in (keeping, other):
        latents, log_det = model(images, noise=noise)
        (standard_normal_log_prob(latents) + log_det).sum().backward()
    for (name, ours), theirs in zip(keeping.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=name)
