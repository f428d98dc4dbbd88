import pytest
import torch

from glow import Glow
from glow.bijections import ActNorm
from tests.small_models import affine


@pytest.mark.parametrize("shape", [(4, 4), (5,), ()])
def test_initialization_normalizes_every_channel(shape: tuple[int, ...]) -> None:
    """For images, sequences and vectors."""
    actnorm = ActNorm(3).double()
    per_channel = (3, *[1] * len(shape))
    x = torch.randn(640, 3, *shape, dtype=torch.float64)
    x = x * torch.tensor([0.1, 1.0, 20.0]).view(per_channel)
    x = x + torch.tensor([-5.0, 0.0, 3.0]).view(per_channel)
    y = actnorm.initialize(x)
    axes = (0, *range(2, x.ndim))
    torch.testing.assert_close(y.mean(axes), torch.zeros(3, dtype=torch.float64))
    # The variance is the biased one, up to the 1e-6 that the reference adds to the deviation.
    variance = y.var(axes, correction=0)
    torch.testing.assert_close(variance, torch.ones(3).double(), rtol=1e-4, atol=0)
    assert actnorm.initialized


def test_a_layer_is_initialized_once() -> None:
    actnorm = ActNorm(2)
    x = torch.randn(10, 2, 4, 4)
    first = actnorm.initialize(5 + x)
    actnorm.initialize(x - 5)
    assert (actnorm.bias < 0).all()
    torch.testing.assert_close(actnorm(5 + x)[0], first)


def test_a_constant_channel_stays_finite() -> None:
    actnorm = ActNorm(1)
    x = torch.full((4, 1, 2, 2), 3.0)
    actnorm.initialize(x)
    y, log_det = actnorm(x)
    assert y.isfinite().all()
    assert log_det.isfinite().all()


def test_the_frozen_copy_agrees() -> None:
    actnorm, x = ActNorm(3), torch.randn(50, 3, 2, 2)
    actnorm.initialize(4 * x + 1)
    frozen = actnorm.frozen()
    assert not list(frozen.parameters())
    for ours, theirs in zip(frozen(x), actnorm(x), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(frozen.inverse(x), actnorm.inverse(x))


def test_nothing_but_initialize_initializes() -> None:
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    model.train()
    model.log_prob(images)
    model.decode(model.encode(images))
    model.sample(3)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    model.initialize(images)
    flags = [value for name, value in model.state_dict().items() if name.endswith("initialized")]
    assert len(flags) == 6
    assert all(flags)


def test_a_loaded_model_is_not_initialized_again() -> None:
    model = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine)
    model.initialize(torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8))
    loaded = Glow((1, 8, 8), n_levels=2, n_steps=1, coupling=affine)
    loaded.load_state_dict(model.state_dict())
    loaded.initialize(torch.zeros(50, 1, 8, 8, dtype=torch.uint8))
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
