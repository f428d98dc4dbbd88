import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import glow
from glow import Glow, Latents
from glow.analysis import batches
from glow.analysis.attributes import (
    Directions,
    Estimator,
    LabelSums,
    estimate,
    mean_difference,
    ridge_regression,
)
from glow.checkpoint import fingerprint
from glow.models import ClassConditionalPrior
from tests.small_models import affine, perturb

NAMES = ["Smiling", "Male", "Hat"]
N = 1500


def correlated_labels() -> Tensor:
    """Return labels (N,3): the second mostly agrees with the first, the third with neither."""
    first = torch.rand(N) < 0.5
    second = torch.where(torch.rand(N) < 0.9, first, ~first)
    third = torch.rand(N) < 0.2
    return torch.stack([first, second, third], dim=1).long()


@pytest.fixture
def planted(model: Glow) -> tuple[Tensor, Tensor, Tensor]:
    """Return images in whose latents directions are hidden, their labels, and the directions."""
    labels = correlated_labels()
    hidden = torch.linalg.qr(torch.randn(64, 3)).Q.T
    vectors = 0.1 * torch.randn(N, 64) + 0.4 * labels.float() @ hidden
    images = model.decode(Latents.unflatten(vectors, model.latent_shapes))
    return images, labels, hidden


def batches_of(*tensors: Tensor, size: int = 400) -> list[tuple[Tensor, Tensor]]:
    return list(zip(*(tensor.split(size) for tensor in tensors), strict=True))


def cosines(directions: Directions, hidden: Tensor) -> Tensor:
    return torch.cosine_similarity(directions.vectors, hidden, dim=1)


def test_a_planted_attribute_is_found(model: Glow, planted: tuple[Tensor, Tensor, Tensor]) -> None:
    images, labels, hidden = planted
    directions = estimate(model, batches_of(images, labels[:, 2:]), ["Hat"])
    assert cosines(directions, hidden[2:]) > 0.95
    assert directions.vectors[0].norm() == pytest.approx(0.4, rel=0.1)


def test_regression_separates_correlated_attributes_and_the_mean_difference_does_not(
    model: Glow, planted: tuple[Tensor, Tensor, Tensor]
) -> None:
    images, labels, hidden = planted
    labelled = batches_of(images, labels)
    mixed = cosines(estimate(model, labelled, NAMES), hidden)
    assert (mixed[:2] < 0.9).all()
    assert mixed[2] > 0.95
    apart = cosines(estimate(model, labelled, NAMES, ridge_regression), hidden)
    assert (apart > 0.95).all()
    balanced = estimate(model, labelled, NAMES, balanced_by=["Male", "Smiling"])
    assert (cosines(balanced, hidden) > 0.95).all()
    assert balanced.method == "mean difference, balanced by Male, Smiling"


def test_the_sums_over_batches_are_those_of_the_whole(
    model: Glow, planted: tuple[Tensor, Tensor, Tensor]
) -> None:
    images, labels, _ = planted
    vectors = model.encode(images).flatten().double()
    directions = estimate(model, batches_of(images, labels, size=71), NAMES)
    for i, name in enumerate(NAMES):
        with_it = labels[:, i] == 1
        expected = vectors[with_it].mean(0) - vectors[~with_it].mean(0)
        torch.testing.assert_close(directions[name].flatten()[0], expected.float())
    assert directions.n_with == labels.sum(0).tolist()
    assert directions.n_images == N
    ridge = estimate(
        model, batches_of(images, labels, size=71), NAMES, partial(ridge_regression, penalty=3.0)
    )
    x = labels.double() - labels.double().mean(0)
    expected = torch.linalg.solve(x.T @ x + 3 * torch.eye(3), x.T @ (vectors - vectors.mean(0)))
    torch.testing.assert_close(ridge.vectors, expected.float())


def test_balancing_compares_what_agrees_in_a_label(model: Glow, images: Tensor) -> None:
    """Of 1 + 1 images without the second label, 2 + 4 with it."""
    labels = torch.tensor([[0, 0], [1, 0], [0, 1], [0, 1], [1, 1], [1, 1], [1, 1], [1, 1]])
    z = model.encode(images).flatten().double()
    without = z[1] - z[0]
    with_it = z[4:].mean(0) - z[2:4].mean(0)
    expected = (1 / 2 * without + 8 / 6 * with_it) / (1 / 2 + 8 / 6)  # 1 * 1 / 2 and 2 * 4 / 6
    labelled = batches_of(images, labels)
    found = estimate(model, labelled, ["A", "B"], balanced_by=["B"])
    torch.testing.assert_close(found["A"].flatten()[0], expected.float())
    x = torch.cat([labels.double(), torch.ones(8, 1)], dim=1)
    torch.testing.assert_close(expected, torch.linalg.lstsq(x, z).solution[0])
    plain = estimate(model, labelled, ["A", "B"])
    torch.testing.assert_close(found["B"].flatten(), plain["B"].flatten())
    twice = estimate(model, labelled, ["A", "B"], balanced_by=["B", "B"])
    assert torch.equal(twice.vectors, found.vectors)


def test_the_sums_do_not_grow_with_the_number_of_images(model: Glow, images: Tensor) -> None:
    sizes = []

    def spy(sums: LabelSums) -> Tensor:
        sizes.append((sums.gram.shape, sums.cross.shape))
        return mean_difference(sums)

    labels = torch.tensor([0, 1] * 4)
    for times in (1, 5):
        estimate(model, [(images, labels)] * times, ["a", "b"], spy)
    assert sizes[1] == sizes[3] == ((1, 3, 3), (1, 3, 64))


def test_classes_are_attributes(model: Glow, images: Tensor) -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2, 2])
    directions = estimate(model, batches_of(images, labels, size=3), ["zero", "one", "two"])
    z = model.encode(images).flatten()
    expected = z[2:4].mean(0) - z[[0, 1, 4, 5, 6, 7]].mean(0)
    torch.testing.assert_close(directions["one"].flatten()[0], expected)
    assert directions.n_with == [2, 2, 4]


def test_a_model_with_classes_encodes_other_labels_by_the_most_likely_class(
    images: Tensor,
) -> None:
    top = partial(ClassConditionalPrior, n_classes=2)
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine, top=top)
    model.initialize(images, torch.arange(8) % 2)
    perturb(perturb(model, 0.02).flow.top, 0.1)
    labels = torch.tensor([[0, 1, 1], [1, 1, 0]] * 4)
    directions = estimate(model, batches_of(images, labels), NAMES)
    most_likely = batches.class_log_probs(model, images).argmax(1)
    z = model.encode(images, most_likely).flatten()
    expected = z[1::2].mean(0) - z[0::2].mean(0)
    torch.testing.assert_close(directions["Smiling"].flatten()[0], expected)


def test_a_model_with_classes_encodes_by_them(images: Tensor) -> None:
    top = partial(ClassConditionalPrior, n_classes=2)
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine, top=top)
    labels = torch.tensor([0, 1] * 4)
    model.initialize(images, labels)
    perturb(model, 0.05)
    directions = estimate(model, batches_of(images, labels), ["a", "b"])
    z = model.encode(images, labels).flatten()
    expected = z[0::2].mean(0) - z[1::2].mean(0)
    torch.testing.assert_close(directions["a"].flatten()[0], expected)


@pytest.mark.parametrize("estimator", [mean_difference, ridge_regression])
def test_directions_survive_a_file(
    model: Glow, images: Tensor, estimator: Estimator, tmp_path: Path
) -> None:
    labels = torch.randint(2, (8, 3))
    directions = estimate(model, [(images, labels)], NAMES, estimator)
    directions.save(tmp_path / "directions")
    again = Directions.load(tmp_path / "directions", model)
    assert torch.equal(again.vectors, directions.vectors)
    for name in ("names", "shapes", "n_with", "n_images", "method", "fingerprint"):
        assert getattr(again, name) == getattr(directions, name)


def test_the_directions_of_another_model_raise(model: Glow, images: Tensor, tmp_path: Path) -> None:
    estimate(model, [(images, torch.tensor([0, 1] * 4))], ["a", "b"]).save(tmp_path / "d.npz")
    glow.save(model, tmp_path / "model.pt")
    same = glow.load(tmp_path / "model.pt")
    assert same.config is not None
    same.config["memory"] = "recompute"
    Directions.load(tmp_path / "d.npz", same)
    Directions.load(tmp_path / "d.npz", same.double())
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1e-3
    with pytest.raises(ValueError, match=r"d.npz holds .* another model, .*estimate"):
        Directions.load(tmp_path / "d.npz", model)


def test_the_fingerprint_depends_on_the_configuration(images: Tensor) -> None:
    """Even if the weights are equal."""
    prints = set()
    for n_bits in (5, 8):
        torch.manual_seed(0)
        model = Glow((1, 8, 8), n_bits=n_bits, n_levels=1, n_steps=1, coupling=affine)
        prints.add(fingerprint(model))
    assert len(prints) == 2


def test_latents_that_are_not_finite_raise(model: Glow, images: Tensor) -> None:
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="8 of 8 images of a batch have no finite latents"):
        estimate(model, [(images, torch.arange(8) % 3)], NAMES)


def test_classes_of_other_data_are_not_those_of_the_model(by_class: Glow, images: Tensor) -> None:
    labels = torch.arange(8) % 4
    labelled = [(images, labels)]
    own = estimate(by_class, labelled, list("abcd"))
    z = by_class.encode(images, labels).flatten()
    torch.testing.assert_close(own["a"].flatten()[0], z[::4].mean(0) - z[labels > 0].mean(0))
    other = estimate(by_class, labelled, list("abcd"), labels_are_classes=False)
    most_likely = batches.class_log_probs(by_class, images).argmax(1)
    z = by_class.encode(images, most_likely).flatten()
    torch.testing.assert_close(other["a"].flatten()[0], z[::4].mean(0) - z[labels > 0].mean(0))


def test_a_damaged_file_raises_nothing_but_a_sentence(
    model: Glow, images: Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "d.npz"
    estimate(model, [(images, torch.tensor([0, 1] * 4))], ["a", "b"]).save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 41):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        with contextlib.suppress(ValueError):
            Directions.load(path, model)


def test_a_file_without_directions_raises(model: Glow, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file of directions at"):
        Directions.load(tmp_path / "nowhere.npz", model)
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    (tmp_path / "text.npz").write_text("no numbers here")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("other.npz", "text.npz", "array.npy"):
        with pytest.raises(ValueError, match=f"{name} holds no directions: expected an npz file"):
            Directions.load(tmp_path / name, model)


def test_an_attribute_that_does_not_exist_raises(model: Glow, images: Tensor) -> None:
    labels = torch.tensor([[0, 1, 1]] * 4 + [[1, 1, 0]] * 4)
    directions = estimate(model, [(images, labels)], NAMES)
    with pytest.raises(ValueError, match=r"no attribute Smilling: did you mean Smiling\?"):
        directions["Smilling"]
    with pytest.raises(ValueError, match="no attribute xyz: there are Smiling, Male, Hat"):
        directions["xyz"]
    with pytest.raises(ValueError, match="no direction for Male by mean difference: 8 of 8 images"):
        directions["Male"]
    with pytest.raises(ValueError, match="no attribute Beard"):
        estimate(model, [(images, labels)], NAMES, balanced_by=["Beard"])
    balanced = estimate(model, [(images, labels)], NAMES, balanced_by=["Hat"])
    with pytest.raises(ValueError, match="no direction for Smiling by mean difference, balanced"):
        balanced["Smiling"]


def test_labels_that_do_not_fit_raise(model: Glow, images: Tensor) -> None:
    for labels in (torch.full((8,), 3), torch.zeros(8, 2), torch.full((8, 3), 2)):
        with pytest.raises(ValueError, match="labels must be classes from 0 to 2, or 0 or 1 for"):
            estimate(model, [(images, labels.long())], NAMES)
    with pytest.raises(
        ValueError, match="these images have no labels from which to estimate directions"
    ):
        estimate(model, [(images, torch.zeros(8).long())], [])
    with pytest.raises(ValueError, match="no images from which to estimate directions"):
        estimate(model, [], NAMES)
    with pytest.raises(ValueError, match=r"balanced_by takes up to 4 labels, .* got 5"):
        estimate(model, [], list("abcdef"), balanced_by=list("abcde"))

    def unread() -> Iterator[tuple[Tensor, Tensor]]:
        yield from [pytest.fail("the images are read before the error")]

    with pytest.raises(ValueError, match="penalty must be above 0, got 0"):
        estimate(model, unread(), NAMES, partial(ridge_regression, penalty=0.0))
    with pytest.raises(ValueError, match="balanced_by is for mean_difference"):
        estimate(model, unread(), NAMES, ridge_regression, ["Hat"])
