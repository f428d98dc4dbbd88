import math
from functools import partial

import pytest
import torch
from torch import Tensor

from glow import Glow
from glow.analysis import batches
from glow.models import FlowStep
from glow.noise import noise_per_image


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_the_batch_size_makes_no_difference(model: Glow, images: Tensor, size: int) -> None:
    latents = batches.encode(model, images, batch_size=size)
    torch.testing.assert_close(latents.flatten(), model.encode(images).flatten())
    assert torch.equal(batches.decode(model, latents, batch_size=size), images)
    bits = batches.bits_per_dim(model, images, batch_size=size)
    whole = model.bits_per_dim(images, noise=noise_per_image(images)).double()
    torch.testing.assert_close(bits, whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_samples_are_those_of_the_seed_for_any_batch_size(model: Glow, size: int) -> None:
    generator = torch.Generator().manual_seed(3)
    parts = [model.sample_latents(n, 0.9, generator) for n in (2, 1, 4)]
    at_once = model.sample_latents(7, 0.9, torch.Generator().manual_seed(3))
    for level, eps in enumerate(at_once):
        assert torch.equal(eps, torch.cat([part[level] for part in parts]))
    whole = model.sample(7, 0.9, generator=torch.Generator().manual_seed(3))
    assert torch.equal(batches.sample(model, 7, 0.9, seed=3, batch_size=size), whole)


def test_labels_go_with_their_images(by_class: Glow, images: Tensor) -> None:
    labels = torch.arange(8) % 3
    latents = batches.encode(by_class, images, labels, batch_size=3)
    torch.testing.assert_close(latents.flatten(), by_class.encode(images, labels).flatten())
    assert torch.equal(batches.decode(by_class, latents, labels, batch_size=3), images)
    whole = by_class.sample(8, 1.0, labels, torch.Generator().manual_seed(0))
    assert torch.equal(batches.sample(by_class, 8, 1.0, labels, batch_size=3), whole)


def test_without_labels_all_classes_count_the_same(by_class: Glow, images: Tensor) -> None:
    noise = noise_per_image(images)
    expected = torch.stack(
        [by_class.log_prob(images, torch.full((8,), y), noise=noise) for y in range(4)], dim=1
    ).double()
    close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)
    close(batches.class_log_probs(by_class, images, 5), expected)
    offset = expected.max()
    mean = (expected - offset).exp().mean(1).log() + offset
    assert (expected.std(1) > 1).any()
    close(batches.bits_per_dim(by_class, images), -mean / (64 * math.log(2)))


def test_the_flow_is_run_once_for_all_classes(by_class: Glow, images: Tensor) -> None:
    calls = []
    step = next(m for m in by_class.modules() if isinstance(m, FlowStep))
    step.register_forward_hook(lambda *_: calls.append(1))
    batches.class_log_probs(by_class, images)
    assert len(calls) == 1


@pytest.mark.parametrize("lost", [torch.nan, torch.inf, -torch.inf])
def test_a_class_that_cannot_be_computed_is_impossible(
    by_class: Glow, images: Tensor, lost: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = batches.class_log_probs(by_class, images)
    compute = by_class.class_log_probs

    def without_the_last(part: Tensor, **options: Tensor) -> Tensor:
        found = compute(part, **options)
        return torch.cat([found[:, :-1], torch.full_like(found[:, -1:], lost)], dim=1)

    monkeypatch.setattr(by_class, "class_log_probs", without_the_last)
    found = batches.class_log_probs(by_class, images)
    assert torch.equal(found[:, :-1], whole[:, :-1])
    assert (found[:, -1] == -torch.inf).all()
    most_likely = batches.fill_in_classes(by_class, images, torch.full((8,), -1))
    assert most_likely is not None
    assert most_likely.max() < 3


def test_an_image_without_a_class_gets_the_most_likely_one(by_class: Glow, images: Tensor) -> None:
    best = batches.class_log_probs(by_class, images).argmax(1)
    given = torch.tensor([-1, 0, 1, 2, -1, -1, 0, -1])
    found = batches.fill_in_classes(by_class, images, given)
    assert found is not None
    assert torch.equal(found, torch.where(given < 0, best, given))
    assert given[0] == -1


def test_a_model_without_classes_needs_none(model: Glow, images: Tensor) -> None:
    assert batches.fill_in_classes(model, images, torch.full((8,), -1)) is None


def test_empty_and_impossible_batches_raise(model: Glow, images: Tensor) -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        batches.encode(model, images, batch_size=0)
    with pytest.raises(ValueError, match="number of samples must be at least 1, got 0"):
        batches.sample(model, 0)
    with pytest.raises(ValueError, match="there are no images: at least one is needed"):
        batches.encode(model, images[:0])
    with pytest.raises(ValueError, match="this model has no classes"):
        batches.class_log_probs(model, images)
    with pytest.raises(ValueError, match="at least one image or column is needed, got 0"):
        batches.classes_in_turn(model, 0)


def test_classes_come_in_turn(by_class: Glow, model: Glow) -> None:
    labels = batches.classes_in_turn(by_class, 5)
    assert labels is not None
    assert labels.tolist() == [0, 1, 2, 3, 0]
    assert batches.classes_in_turn(model, 5) is None
