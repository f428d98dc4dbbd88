import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glow.analysis import neighbors
from glow.analysis.neighbors import nearest


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 40), st.integers(0, 100))
def test_it_finds_what_a_brute_search_finds(n: int, m: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (n, 2, 3, 3), generator=generator).byte()
    among = torch.randint(256, (m, 2, 3, 3), generator=generator).byte()
    k = min(3, m)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "CHUNK", 7)
        distances, indices = nearest(images, among, k)
    for i in range(n):
        differences = among.double() - images[i].double()
        all_of_them = differences.square().mean(dim=(1, 2, 3)).sqrt()
        expected = all_of_them.sort().values[:k]
        torch.testing.assert_close(distances[i].double(), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(all_of_them[indices[i]], expected, rtol=1e-5, atol=1e-5)


def test_an_image_has_distance_0_to_itself() -> None:
    images = torch.randint(200, 256, (50, 3, 16, 16)).byte()
    distances, indices = nearest(images, images, 1)
    assert (distances == 0).all()
    assert torch.equal(indices[:, 0], torch.arange(50))


@pytest.mark.parametrize("k", [0, 4])
def test_too_few_images_raise(k: int) -> None:
    images = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(ValueError, match=f"there are 3 images .* got n_neighbors={k}"):
        nearest(images, images, k)


def test_only_the_bits_that_a_model_sees_are_compared() -> None:
    images = torch.randint(256, (5, 1, 4, 4)).byte()
    quantized = images // 8 * 8
    assert nearest(quantized, images, 1)[0].min() > 0
    distances, indices = nearest(quantized, images, 1, n_bits=5)
    assert (distances == 0).all()
    assert torch.equal(indices[:, 0], torch.arange(5))
