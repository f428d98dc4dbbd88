import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glow import Glow
from glow.models import MultiScaleFlow, StandardPrior, latent_shapes
from tests.small_models import affine, perturb


def flow_of(shape: tuple[int, int, int], n_levels: int = 1, n_steps: int = 1) -> MultiScaleFlow:
    model = Glow(shape, n_levels=n_levels, n_steps=n_steps, coupling=affine)
    return perturb(model.flow.double(), 0.02)


@settings(deadline=None, max_examples=25)
@given(
    channels=st.integers(1, 5),
    n_levels=st.integers(1, 3),
    height=st.integers(1, 3),
    width=st.integers(1, 3),
)
def test_any_channels_and_sides_work(channels: int, n_levels: int, height: int, width: int) -> None:
    shape = (channels, height * 2**n_levels, width * 2**n_levels)
    flow = flow_of(shape, n_levels)
    x = torch.randn(2, *shape, dtype=torch.float64)
    latents, log_det = flow(x)
    assert latents.shapes == flow.latent_shapes == latent_shapes(shape, n_levels)
    assert latents.flatten().shape == x.flatten(1).shape
    assert log_det.shape == (2,)
    torch.testing.assert_close(flow.inverse(latents), x)


def test_the_shapes_are_those_of_the_paper_s_cifar_model() -> None:
    assert latent_shapes((3, 32, 32), 3) == [(6, 16, 16), (12, 8, 8), (48, 4, 4)]


@pytest.mark.parametrize(
    ("shape", "n_levels", "message"),
    [
        ((1, 28, 28), 3, "got 28x28, where the largest valid n_levels is 2"),
        ((3, 48, 64), 5, "got 48x64, where the largest valid n_levels is 4"),
        ((3, 15, 16), 1, "got 15x16, where no n_levels is valid"),
        ((3, 16, 16), 0, "n_levels=0 needs at least one level"),
    ],
)
def test_a_size_that_cannot_be_halved_raises(
    shape: tuple[int, int, int], n_levels: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Glow(shape, n_levels=n_levels)


def test_a_flow_without_steps_raises() -> None:
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        Glow((3, 8, 8), n_levels=1, n_steps=0)


def test_parts_that_do_not_fit_together_raise() -> None:
    flow = flow_of((1, 8, 8), 2)
    with pytest.raises(ValueError, match="2 levels needs 1 splits and 2 latent shapes, got 0 and"):
        MultiScaleFlow(list(flow.levels), [], StandardPrior(8), [(8, 2, 2)])  # type: ignore[arg-type]


@pytest.mark.parametrize(("shape", "n_levels"), [((4, 4, 2), 1), ((1, 4, 8), 2)])
def test_the_log_det_is_that_of_the_jacobian(shape: tuple[int, int, int], n_levels: int) -> None:
    flow = flow_of(shape, n_levels, n_steps=2)
    x = torch.randn(3, *shape, dtype=torch.float64)
    latents, log_det = flow(x)
    _, by_level = flow.forward_by_level(x)
    torch.testing.assert_close(torch.stack(by_level).sum(0), log_det)
    for number in range(3):

        def f(one: torch.Tensor) -> torch.Tensor:
            return flow(one[None])[0].flatten()[0]

        size = x[number].numel()
        jacobian = torch.autograd.functional.jacobian(f, x[number]).reshape(size, size)
        expected = torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(log_det[number], expected)
    torch.testing.assert_close(flow.inverse(latents), x)


def test_latents_of_another_flow_raise() -> None:
    flow = flow_of((1, 8, 8), 2)
    with pytest.raises(ValueError, match=r"\(2, 4, 4\), \(8, 2, 2\)\], finest first; got"):
        flow.inverse([torch.zeros(1, 8, 2, 2), torch.zeros(1, 2, 4, 4)])
