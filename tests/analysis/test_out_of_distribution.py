import itertools
import json
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_sample_images
from torch import Tensor

from glow import Glow
from glow.analysis import batches
from glow.analysis.out_of_distribution import (
    Scores,
    auroc,
    compare,
    constant_images,
    noise_images,
    png_bits_per_dim,
    score,
    summarize,
    write_per_image,
)
from glow.models import ClassConditionalPrior
from tests.small_models import affine, perturb

scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=20)


@given(scores, scores)
def test_auroc_is_what_a_count_of_pairs_finds(inside: list[float], outside: list[float]) -> None:
    pairs = list(itertools.product(inside, outside))
    wins = sum(1.0 if o > i else 0.5 if o == i else 0.0 for i, o in pairs)
    found = auroc(torch.tensor(inside), torch.tensor(outside))
    assert found == pytest.approx(wins / len(pairs))


def test_scores_are_what_they_say() -> None:
    own = Scores(torch.tensor([3.0, 4.0]), torch.tensor([5.0, 5.0]))
    assert own.raw().tolist() == [3, 4]
    assert own.less_png().tolist() == [-2, -1]
    assert own.atypicality(3.5).tolist() == [0.5, 0.5]
    plain = Scores(torch.tensor([1.0, 1.0]), torch.tensor([0.5, 0.5]))
    found = compare(own, plain, entropy=3.5)
    assert found == {"auroc_raw": 0.0, "auroc_less_png": 1.0, "auroc_atypicality": 1.0}


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_is_as_long_as_its_content_is_complex(channels: int) -> None:
    shape = (channels, 32, 32)
    plain = png_bits_per_dim(constant_images(3, shape))
    noise = png_bits_per_dim(noise_images(3, shape))
    assert (plain < 1.1 * 8 * 100 / (32 * 32)).all()
    assert ((noise > 8) & (noise < 9)).all()
    compressed = [len(zlib.compress(image.numpy().tobytes())) for image in noise_images(3, shape)]
    torch.testing.assert_close(
        noise * channels * 32 * 32 / 8, torch.tensor(compressed).double(), rtol=0.1, atol=100
    )


def test_controls_are_constant_or_noise() -> None:
    plain, noise = constant_images(50, (3, 4, 4), seed=1), noise_images(50, (3, 4, 4), seed=1)
    assert (plain == plain[:, :1, :1, :1]).all()
    assert len(plain[:, 0, 0, 0].unique()) > 40
    assert 110 < noise.float().mean() < 145
    for images in (noise_images, constant_images):
        assert torch.equal(images(50, (3, 4, 4), seed=1), images(50, (3, 4, 4), seed=1))
        assert not torch.equal(images(50, (3, 4, 4), seed=1), images(50, (3, 4, 4), seed=2))


def photo_patches(n: int) -> Tensor:
    """Return pieces of the two photos inside scikit-learn, uint8 (n,3,16,16)."""
    random = np.random.default_rng(0)
    photos = load_sample_images().images
    pieces = []
    for i in range(n):
        photo = photos[i % 2]
        y, x = random.integers(photo.shape[0] - 64), random.integers(photo.shape[1] - 64)
        pieces.append(photo[y : y + 64 : 4, x : x + 64 : 4].transpose(2, 0, 1))
    return torch.from_numpy(np.stack(pieces))


@pytest.mark.slow
def test_constant_images_are_likelier_than_photos_and_noise_is_not() -> None:
    images = photo_patches(600)
    model = Glow((3, 16, 16), n_levels=2, n_steps=2, coupling=affine)
    model.initialize(images[:256])
    optimizer = torch.optim.Adamax(model.parameters(), lr=0.01)
    for step in range(60):
        batch = images[torch.randint(500, (64,), generator=torch.Generator().manual_seed(step))]
        optimizer.zero_grad()
        model.bits_per_dim(batch).mean().backward()
        optimizer.step()
    own = score(model, images[500:])
    plain = score(model, constant_images(100, (3, 16, 16)))
    noise = score(model, noise_images(100, (3, 16, 16)))
    entropy = float(batches.bits_per_dim(model, images[:500]).mean())
    plain_auroc, noise_auroc = compare(own, plain, entropy), compare(own, noise, entropy)
    assert plain_auroc["auroc_raw"] < 0.45
    assert plain_auroc["auroc_less_png"] > 0.9
    assert all(auroc > 0.9 for auroc in noise_auroc.values())


def test_the_png_has_the_bits_that_the_model_sees() -> None:
    images = noise_images(4, (1, 8, 8))
    model = Glow((1, 8, 8), n_bits=3, n_levels=1, n_steps=1, coupling=affine)
    model.initialize(images)
    expected = png_bits_per_dim(images // 32 * 32)
    assert torch.equal(score(model, images).png_bits_per_dim, expected)
    assert (expected < png_bits_per_dim(images)).all()


def test_a_model_with_classes_counts_all_of_them() -> None:
    images = noise_images(6, (1, 8, 8))
    top = partial(ClassConditionalPrior, n_classes=3)
    model = Glow((1, 8, 8), n_levels=1, n_steps=1, coupling=affine, top=top)
    model.initialize(images, torch.arange(6) % 3)
    perturb(model, 0.05)
    assert torch.equal(score(model, images).raw(), batches.bits_per_dim(model, images))


@pytest.mark.parametrize("bits", [torch.nan, torch.inf, -torch.inf])
def test_bits_that_cannot_be_computed_are_infinite(
    bits: float, model: Glow, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = score(model, images)
    broken = torch.full((8,), bits, dtype=torch.float64)
    monkeypatch.setattr(batches, "bits_per_dim", lambda *_, **__: broken)
    lost = score(model, images)
    assert (lost.raw() == torch.inf).all()
    assert set(compare(own, lost, 3.0).values()) == {1.0}
    with pytest.raises(ValueError, match="some scores are not a number"):
        auroc(own.raw(), lost.raw() - lost.raw())


def test_a_summary_has_means_and_only_numbers_of_json(tmp_path: Path) -> None:
    own = Scores(torch.tensor([3.0, 4.0]).double(), torch.tensor([5.0, 5.0]).double())
    lost = Scores(torch.tensor([1.0, torch.inf]).double(), torch.tensor([0.5, 0.5]).double())
    found = summarize({"own": own, "lost": lost}, entropy=3.5)
    assert found["own"] == {
        "images": 2,
        "not_finite": 0,
        "bits_per_dim": 3.5,
        "png_bits_per_dim": 5.0,
    }
    assert (found["lost"]["not_finite"], found["lost"]["bits_per_dim"]) == (1, None)
    assert found["lost"]["auroc_raw"] == 0.5
    json.dumps(found, allow_nan=False)
    indices = {"own": torch.tensor([7, 9]), "lost": torch.tensor([0, 1])}
    write_per_image(tmp_path / "scores.csv", {"own": own, "lost": lost}, indices, 3.5)
    assert (tmp_path / "scores.csv").read_text().splitlines() == [
        "set,index,bits_per_dim,png_bits_per_dim,less_png,atypicality",
        "own,7,3.0,5.0,-2.0,0.5",
        "own,9,4.0,5.0,-1.0,0.5",
        "lost,0,1.0,0.5,0.5,2.5",
        "lost,1,inf,0.5,inf,inf",
    ]
