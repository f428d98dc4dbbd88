import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glow.flow import MultiScaleFlow, latent_shapes
from tests.bijections import affine, perturb


@settings(deadline=None, max_examples=25)
@given(
    channels=st.integers(1, 5),
    n_levels=st.integers(1, 3),
    height=st.integers(1, 3),
    width=st.integers(1, 3),
)
def test_any_channels_and_sides_work(channels: int, n_levels: int, height: int, width: int) -> None:
    shape = (channels, height * 2**n_levels, width * 2**n_levels)
    flow = perturb(MultiScaleFlow(shape, n_levels, 1, coupling=affine).double(), 0.02)
    x = torch.randn(2, *shape, dtype=torch.float64)
    latents, log_det = flow(x)
    assert latents.shapes == flow.latent_shapes == latent_shapes(shape, n_levels)
    assert latents.flatten().shape == x.flatten(1).shape
    assert log_det.shape == (2,)
    torch.testing.assert_close(flow.inverse(latents), x)


def test_the_shapes_are_those_of_the_paper_s_cifar_model() -> None:
    assert latent_shapes((3, 32, 32), 3) == [(6, 16, 16), (12, 8, 8), (48, 4, 4)]


@pytest.mark.parametrize(
    ("shape", "n_levels", "told"),
    [
        ((1, 28, 28), 3, "got 28x28, where the largest legal n_levels is 2"),
        ((3, 48, 64), 5, "got 48x64, where the largest legal n_levels is 4"),
        ((3, 15, 16), 1, "got 15x16, where no n_levels is legal"),
        ((3, 16, 16), 0, "n_levels=0 needs at least one level"),
    ],
)
def test_a_size_that_cannot_be_halved_is_told(
    shape: tuple[int, int, int], n_levels: int, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        MultiScaleFlow(shape, n_levels, 1)


def test_a_flow_without_steps_is_told() -> None:
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        MultiScaleFlow((3, 8, 8), 1, 0)


def test_latents_of_another_flow_are_told() -> None:
    flow = MultiScaleFlow((1, 8, 8), 2, 1, coupling=affine)
    with pytest.raises(ValueError, match=r"\(2, 4, 4\), \(8, 2, 2\)\], finest first; got"):
        flow.inverse([torch.zeros(1, 8, 2, 2), torch.zeros(1, 2, 4, 4)])
