from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glow import Latents

shapes = st.lists(st.tuples(*[st.integers(1, 4)] * 3), min_size=1, max_size=4)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), shapes)
def test_flatten_and_unflatten_are_inverse(batch: int, shapes: list[tuple[int, ...]]) -> None:
    latents = Latents(torch.randn(batch, *shape) for shape in shapes)
    vectors = latents.flatten()
    assert vectors.shape == (batch, sum(int(np.prod(shape)) for shape in shapes))
    again = Latents.unflatten(vectors, latents.shapes)
    assert all(torch.equal(a, b) for a, b in zip(latents, again, strict=True))


def test_latents_survive_a_file(tmp_path: Path) -> None:
    latents = Latents([torch.randn(2, 3, 4, 4), torch.randn(2, 12, 2, 2)])
    latents.save(tmp_path / "latents")
    again = Latents.load(tmp_path / "latents")
    assert all(torch.equal(a, b) for a, b in zip(latents, again, strict=True))


def test_latents_are_a_sequence_of_levels() -> None:
    latents = Latents([torch.zeros(2, 3, 4, 4), torch.ones(2, 12, 2, 2)])
    fine, coarse = latents
    assert fine is latents[0]
    assert coarse is latents[1]
    assert latents.n_images == 2
    assert latents.map(lambda eps: eps[1:]).n_images == 1
    assert latents.map(lambda eps: 2 * eps)[1].max() == 2
    assert repr(latents) == "Latents((2, 3, 4, 4), (2, 12, 2, 2))"


def test_another_file_raises(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    (tmp_path / "text.npz").write_text("no numbers here")
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("other.npz", "text.npz", "array.npy"):
        with pytest.raises(ValueError, match=r"holds no latents: expected .* eps_1, eps_2"):
            Latents.load(tmp_path / name)


def test_levels_that_do_not_fit_raise() -> None:
    with pytest.raises(ValueError, match="the same number of images"):
        Latents([torch.zeros(2, 3, 4, 4), torch.zeros(3, 12, 2, 2)])
    with pytest.raises(ValueError, match="at least one level"):
        Latents([])
    with pytest.raises(ValueError, match=r"hold 12 numbers per image, got .* \(2, 13\)"):
        Latents.unflatten(torch.zeros(2, 13), [(3, 2, 2)])
