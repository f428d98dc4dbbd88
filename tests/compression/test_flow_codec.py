"""Images of every kind of model go to the bits of a stack and come back."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from glow import Glow, ImageFlow
from glow.analysis import batches
from glow.bijections import AdditiveCoupling, PlainLinear, ReversePermutation, ShufflePermutation
from glow.compression.bit_stack import BitStack
from glow.compression.flow_codec import FlowCodec
from glow.models import ClassConditionalPrior, StandardPrior
from tests.small_models import affine, net, nice, perturb, real_nvp

SHAPE = (3, 4, 4)
MODELS: dict[str, dict[str, Any]] = {
    **{f"{n} bits": {"n_bits": n} for n in range(1, 9)},
    "additive": {"coupling": partial(AdditiveCoupling, net=net)},
    "reverse": {"permutation": ReversePermutation},
    "shuffle": {"permutation": ShufflePermutation},
    "plain": {"permutation": PlainLinear},
    "one level": {"n_levels": 1},
    "standard prior": {"top": StandardPrior},
    "classes": {"top": partial(ClassConditionalPrior, n_classes=3)},
}


def noise(n: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    return torch.randint(256, (n, *shape), dtype=torch.uint8)


def small_model(shape: tuple[int, ...] = SHAPE, **options: Any) -> Glow:
    torch.manual_seed(0)
    model = Glow(shape, **{"n_levels": 2, "n_steps": 1, "coupling": affine, **options})
    model.initialize(noise(32, shape), torch.zeros(32, dtype=torch.long))
    return perturb(model, 0.02)


def full_stack(n_values: int) -> BitStack:
    words = np.random.default_rng(0).integers(2**32, size=n_values, dtype=np.uint32)
    return BitStack(words, sealed=True)


def comes_back(model: ImageFlow, images: Tensor) -> float:
    """Return the bits/dim of images that come back, and check that they do."""
    codec, stack = FlowCodec(model), full_stack(images.numel())
    labels = torch.arange(len(images)) % model.n_classes if model.n_classes else None
    before, n_bits = stack.words(), stack.n_bits
    upper = codec.quantize(images)
    codec.encode(upper, labels, stack)
    cost = (stack.n_bits - n_bits) / images.numel()
    assert torch.equal(codec.decode(len(images), labels, stack), upper)
    assert np.array_equal(stack.words(), before)
    return cost


@pytest.mark.parametrize("name", MODELS)
def test_images_come_back_and_cost_what_the_model_says(name: str) -> None:
    model, images = small_model(**MODELS[name]), noise(60)
    labels = torch.arange(60) % model.n_classes if model.n_classes else None
    said = float(batches.bits_per_dim(model, images, labels).mean())
    assert comes_back(model, images) == pytest.approx(said, abs=0.05)


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 4, 4), (4, 8, 4)])
def test_any_number_of_channels_comes_back(shape: tuple[int, ...]) -> None:
    comes_back(small_model(shape), noise(5, shape))


def test_a_model_in_float64_comes_back() -> None:
    comes_back(small_model().double(), noise(5))


def test_a_nice_with_a_normal_base_comes_back() -> None:
    model = nice(SHAPE, logistic=False)
    model.initialize(noise(32))
    comes_back(model, noise(5))


@pytest.mark.parametrize("build", [nice, real_nvp])
def test_a_model_without_an_exact_code_is_refused(build: Any) -> None:
    model = build((3, 8, 8))
    model.initialize(noise(32, (3, 8, 8)))
    with pytest.raises(ValueError, match="no exact code for Log"):
        FlowCodec(model)


FOR_PROPERTIES = {bits: small_model(n_bits=bits, n_levels=1) for bits in range(1, 9)}


@given(data=st.data(), n=st.integers(1, 3), bits=st.integers(1, 8))
@settings(max_examples=40)
def test_every_image_comes_back(data: st.DataObject, n: int, bits: int) -> None:
    size = n * math.prod(SHAPE)
    values = data.draw(st.binary(min_size=size, max_size=size))
    images = torch.tensor(list(values), dtype=torch.uint8).view(n, *SHAPE)
    comes_back(FOR_PROPERTIES[bits], images)


def test_an_empty_stack_is_enough_for_decoding_the_same_images() -> None:
    """It acts as if it held zeros without end."""
    codec, stack, images = FlowCodec(small_model()), BitStack(), noise(4)
    codec.encode(images, None, stack)
    restored = BitStack(stack.words())
    assert torch.equal(codec.decode(4, None, restored), images)
