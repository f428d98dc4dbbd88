import builtins
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch_fidelity
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from glow.analysis.sample_quality import sample_quality
from tests.feature_network import MeanColors


@pytest.fixture(scope="module")
def features() -> Iterator[str]:
    torch_fidelity.register_feature_extractor("mean_colors", MeanColors)
    yield "mean_colors"
    del FEATURE_EXTRACTORS_REGISTRY["mean_colors"]


def test_fid_is_that_of_two_gaussians(features: str) -> None:
    real, generated = torch.randint(256, (2, 200, 3, 2, 2), dtype=torch.uint8)
    generated = generated // 2
    found = sample_quality(generated, real, features)
    a, b = (images.double().mean(dim=(2, 3)).numpy() for images in (generated, real))
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    product = np.linalg.eigvals(cov_a @ cov_b).real
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum()
    expected = distance + np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(product).sum()
    assert found["fid"] == pytest.approx(expected, rel=1e-4)
    assert math.isclose(sample_quality(real, real, features)["fid"], 0.0, abs_tol=1e-3)


def test_precision_and_recall_say_who_covers_whom(features: str) -> None:
    real = torch.randint(256, (100, 3, 1, 1), dtype=torch.uint8)
    same = sample_quality(real, real, features)
    assert (same["precision"], same["recall"]) == (1.0, 1.0)
    few = sample_quality(real[:5].repeat(20, 1, 1, 1), real, features)  # right, but the same 5
    assert few["precision"] == 1.0
    assert few["recall"] < 0.3
    gray = sample_quality(torch.full_like(real, 255), real // 4, features)
    assert (gray["precision"], gray["recall"]) == (0.0, 0.0)


def test_the_radius_of_an_image_is_the_distance_of_its_third_neighbor(features: str) -> None:
    real, generated = torch.randint(256, (2, 12, 3, 1, 1), dtype=torch.uint8)
    found = sample_quality(generated, real, features)
    of_real, of_generated = (images.flatten(1).double() for images in (real, generated))
    reach = torch.cdist(of_real, of_real).sort(dim=1).values[:, 3]
    covered = (torch.cdist(of_generated, of_real) <= reach).any(dim=1)
    assert found["precision"] == pytest.approx(covered.double().mean().item())


def test_the_protocol_goes_with_the_numbers(features: str) -> None:
    gray = torch.randint(256, (9, 1, 4, 4), dtype=torch.uint8)
    protocol = sample_quality(gray[:7], gray, features)["protocol"]
    assert protocol["features"] == "mean_colors"
    assert (protocol["generated_images"], protocol["real_images"]) == (7, 9)
    assert protocol["image_shape"] == [1, 4, 4]
    assert protocol["torch_fidelity"]


def test_images_that_cannot_be_measured_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.zeros(9, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"there is no feature network eyes: choose from .*dinov2"):
        sample_quality(images, images, "eyes")
    with pytest.raises(ValueError, match="more than 3 images of 1 channel or 3, got 3 and 9 of 3"):
        sample_quality(images[:3], images)
    four = torch.zeros(9, 4, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="1 channel or 3, got 9 and 9 of 4"):
        sample_quality(four, four)

    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch_fidelity, "calculate_metrics", offline)
    with pytest.raises(
        OSError, match=r"cannot download the weights of the feature network \(no network"
    ):
        sample_quality(images, images)
    imported = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("torch_fidelity"):
            raise ModuleNotFoundError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e '\.\[fid\]'"):
        sample_quality(images, images)
